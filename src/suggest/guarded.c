/* Conservative: a relay that is called like a garage door opens it, for all that we know. */
#include "suggest/guarded.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"

enum { WORD_MAX = 40, DEPTH_MAX = 3 };

/* Words in ids and names of what guards; of several languages, for ids follow the names. */
static const char *const guards[] = {
    /* en */ "garage",
    "gate",
    "gates",
    "door",
    "doors",
    "lock",
    "locks",
    "unlock",
    "opener",
    "valve",
    "siren",
    "alarm",
    "alarms",
    "disarm",
    "arm",
    "armed",
    "deadbolt",
    "latch",
    "shutoff",
    /* de */ "tor",
    "garagentor",
    "hoftor",
    "gartentor",
    "tuer",
    "haustuer",
    "tur",
    "haustur",
    "schloss",
    "tuerschloss",
    "tueroeffner",
    "turoffner",
    "ventil",
    "sirene",
    "alarmanlage",
    /* fr */ "portail",
    "porte",
    "serrure",
    "vanne",
    "sirène",
    "alarme",
    /* nl */ "poort",
    "deur",
    "voordeur",
    "slot",
    "klep",
    "garagedeur",
    /* es */ "puerta",
    "porton",
    "cerradura",
    "valvula",
    "sirena",
    "alarma"};

/* What such words end with, where a language joins them: Kellertür, achterdeur. */
static const char *const guard_ends[] = {"tür",    "tuer", "schloss", "garagentor", "ventil",
                                         "sirene", "deur", "öffner",  "oeffner"};

/* What stands beside or in such a thing and opens nothing. */
static const char *const harmless[] = {"light",  "lights",  "lamp",    "lamps", "licht",  "lampe",
                                       "fan",    "heater",  "heating", "plug",  "socket", "outlet",
                                       "fridge", "freezer", "charger", "radio", "pump",   "tv",
                                       "luz",    "lumiere", "lampen",  "motion"};

/* What a cover without a device class is called that hangs at a window. */
static const char *const blinds[] = {
    /* en */ "blind",    "blinds",    "shade",     "shades",    "shutter",   "shutters",
    "curtain",           "curtains",  "drape",     "drapes",    "awning",    "blackout",
    /* de */ "rollo",    "rollos",    "rollladen", "rolladen",  "jalousie",  "jalousien",
    "raffstore",         "markise",   "vorhang",   "plissee",
    /* fr */ "volet",    "volets",    "store",     "stores",    "rideau",    "rideaux",
    /* nl */ "gordijn",  "gordijnen", "rolluik",   "rolluiken", "zonwering", "jaloezie",
    /* es */ "persiana", "persianas", "cortina",   "cortinas",  "toldo",     "estor"};
static const char *const blind_ends[] = {"rollo",        "rollladen",   "rolladen", "jalousie",
                                         "raffstore",    "vorhang",     "gordijn",  "rolluik",
                                         "verdunkelung", "sonnenschutz"};

static bool ends_with(const char *word, const char *end)
{
    size_t length = strlen(word), tail = strlen(end);
    return length >= tail && strcmp(word + length - tail, end) == 0;
}

/* Whether a word of the text is one of these, or ends so; words are letters and digits. */
static bool has_word(const char *text, const char *const *words, size_t count,
                     const char *const *ends, size_t end_count)
{
    for (const char *p = text; *p != '\0';) {
        char word[WORD_MAX];
        size_t length = 0;
        for (; *p != '\0' && (isalnum((unsigned char)*p) || (unsigned char)*p >= 0x80); p++)
            if (length < sizeof word - 1)
                word[length++] = (char)tolower((unsigned char)*p);
        word[length] = '\0';
        while (length > 0 && isdigit((unsigned char)word[length - 1]))
            word[--length] = '\0'; /* "gate2" */
        for (size_t i = 0; length > 0 && i < count; i++)
            if (strcmp(word, words[i]) == 0)
                return true;
        for (size_t i = 0; length > 0 && i < end_count; i++)
            if (ends_with(word, ends[i]))
                return true;
        if (*p != '\0')
            p++;
    }
    return false;
}

#define COUNT(list) (sizeof(list) / sizeof *(list))

static bool is_called_blind(const char *text)
{
    return has_word(text, blinds, COUNT(blinds), blind_ends, COUNT(blind_ends));
}

static bool is_called_guard(const char *text)
{
    return has_word(text, guards, COUNT(guards), guard_ends, COUNT(guard_ends)) &&
           !has_word(text, harmless, COUNT(harmless), NULL, 0);
}

static bool has_domain(const char *entity_id, const char *domain)
{
    size_t length = strcspn(entity_id, ".");
    return strlen(domain) == length && memcmp(domain, entity_id, length) == 0;
}

static bool is_one_of(const char *text, const char *const *list, size_t count)
{
    for (size_t i = 0; text != NULL && i < count; i++)
        if (strcmp(text, list[i]) == 0)
            return true;
    return false;
}

/* Domains that hold nothing else, whatever they are called. */
static bool is_guard_domain(const char *entity_id)
{
    return has_domain(entity_id, "lock") || has_domain(entity_id, "alarm_control_panel") ||
           has_domain(entity_id, "valve") || has_domain(entity_id, "siren");
}

/* Domains whose devices cannot open anything. */
static bool is_harmless_domain(const char *entity_id)
{
    static const char *const domains[] = {"light", "fan", "climate", "media_player"};
    for (size_t i = 0; i < COUNT(domains); i++)
        if (has_domain(entity_id, domains[i]))
            return true;
    return false;
}

static const struct history_entity *find(const struct history *h, const char *entity_id)
{
    return h != NULL ? history_find_entity(h, entity_id) : NULL;
}

bool guarded_is_kept(const char *entity_id, const struct history *h)
{
    static const char *const kept[] = {"garage", "gate", "door"};
    static const char *const free_classes[] = {"awning", "blind",   "curtain", "damper",
                                               "shade",  "shutter", "window"};
    const struct history_entity *e = find(h, entity_id);
    if (is_guard_domain(entity_id))
        return true;
    if (is_harmless_domain(entity_id))
        return false;
    if (has_domain(entity_id, "cover") && e != NULL && e->device_class != NULL)
        return is_one_of(e->device_class, kept, COUNT(kept)) ||
               !is_one_of(e->device_class, free_classes, COUNT(free_classes));
    const char *id = strchr(entity_id, '.'), *name = e != NULL ? e->name : NULL;
    id = id != NULL ? id : entity_id;
    if (is_called_guard(id) || (name != NULL && is_called_guard(name)))
        return true;
    /* A door's drive that says neither by class nor by name what it is. Without a history nothing
     * says so of any cover: there the name alone refuses. */
    return has_domain(entity_id, "cover") && e != NULL && !is_called_blind(id) &&
           !(name != NULL && is_called_blind(name));
}

/* Whether something that it holds is a guard: a scene's, a group's, and what those hold. */
static bool holds_guard(const char *entity_id, const struct history *h, int depth)
{
    const struct history_entity *e = find(h, entity_id);
    bool found = false;
    if (e == NULL || e->members == NULL)
        return false;
    if (depth > DEPTH_MAX)
        return true;
    for (const char *p = e->members + strspn(e->members, " "); *p != '\0' && !found;) {
        size_t length = strcspn(p, " ");
        char *id = xstrndup(p, length);
        found = guarded_is_kept(id, h) || holds_guard(id, h, depth + 1);
        free(id);
        p += length + strspn(p + length, " ");
    }
    return found;
}

static bool target_is_allowed(const struct rule_step *step, const char *entity_id,
                              const struct history *h)
{
    if (holds_guard(entity_id, h, 0))
        return false; /* what a scene does to it is not told */
    if (!guarded_is_kept(entity_id, h))
        return true;
    if (has_domain(entity_id, "lock"))
        return step->verb == RULE_TURN_ON; /* which locks it */
    if (has_domain(entity_id, "cover"))
        return step->verb == RULE_SET && step->value_count == 1 &&
               step->values[0].attribute == RULE_POSITION && !(step->values[0].value > 0);
    return false;
}

bool guarded_allows(const struct rule_step *step, const struct history *h)
{
    for (size_t i = 0; i < step->entity_count; i++)
        if (!target_is_allowed(step, step->entity_ids[i], h))
            return false;
    return true;
}

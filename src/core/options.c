#include "core/options.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/tz.h"
#include "core/xalloc.h"

/* A longer value or line is an error. */
enum { OPTION_VALUE_MAX = 8192 };

enum kind {
    KIND_TEXT,
    KIND_INT,
    KIND_CHOICE,
    KIND_URL,
    KIND_ID,
    KIND_TOPIC,
    KIND_HOST,
    KIND_PEM,
    KIND_ZONE,
    KIND_PLACE,
};

struct row {
    const char *name;
    enum kind kind;
    bool secret;
    const char *otherwise; /* default, or NULL */
    long min, max;         /* KIND_INT */
    const char *choices;   /* KIND_CHOICE: "off|on" */
    const char *help;
};

static const struct row table[OPTION_COUNT] = {
    [OPTION_MQTT_BROKER] = {"MQTT_BROKER", KIND_HOST,
                            .help = "host of Home Assistant's MQTT broker (required)"},
    [OPTION_MQTT_PORT] = {"MQTT_PORT", KIND_INT, .otherwise = "1883", .min = 1, .max = 65535,
                          .help = "its port"},
    [OPTION_MQTT_USERNAME] = {"MQTT_USERNAME", KIND_TEXT, .help = "user at the broker"},
    [OPTION_MQTT_PASSWORD] = {"MQTT_PASSWORD", KIND_TEXT, .secret = true,
                              .help = "password at the broker"},
    [OPTION_MQTT_TLS] = {"MQTT_TLS", KIND_CHOICE, .otherwise = "off", .choices = "off|on",
                         .help = "TLS to the broker, trusting the system's CAs"},
    [OPTION_MQTT_CA_FILE] = {"MQTT_CA_FILE", KIND_PEM,
                             .help = "PEM file of the CA to trust instead (turns TLS on)"},
    [OPTION_HA_URL] = {"HA_URL", KIND_URL,
                       .help = "Home Assistant, as in http://192.168.1.10:8123"},
    [OPTION_HA_TOKEN] = {"HA_TOKEN", KIND_TEXT, .secret = true,
                         .help = "long-lived access token of an administrator"},
    [OPTION_DATA_API_URL] = {"DATA_API_URL", KIND_URL, .help = "accepted, not used yet"},
    [OPTION_OPENAI_API_KEY] = {"OPENAI_API_KEY", KIND_TEXT, .secret = true,
                               .help = "accepted, not used yet"},
    [OPTION_ANALYSIS_SCHEDULE] =
        {"ANALYSIS_SCHEDULE", KIND_TEXT, .otherwise = "0 3 * * *",
         .help = "when to analyse: a cron line of five fields in the home's time"},
    [OPTION_DATABASE_PATH] = {"DATABASE_PATH", KIND_TEXT,
                              .help = "our own database; default $STATE_DIRECTORY/ha-ai.db, else "
                                      "~/.local/state/ha-ai/ha-ai.db"},
    [OPTION_HISTORY] = {"HISTORY", KIND_TEXT,
                        .help = "Home Assistant's recorder database; default "
                                "/config/home-assistant_v2.db if it is there"},
    [OPTION_HTTP_PORT] = {"HTTP_PORT", KIND_INT, .otherwise = "8011", .min = 0, .max = 65535,
                          .help = "port of /health; 0 = any free one"},
    [OPTION_HTTP_BIND] = {"HTTP_BIND", KIND_TEXT, .otherwise = "127.0.0.1",
                          .help = "address of /health"},
    [OPTION_INSTANCE] =
        {"INSTANCE", KIND_ID, .otherwise = "ha_ai",
         .help = "device id, client id and topic id; two daemons on one broker need two"},
    [OPTION_DISCOVERY_PREFIX] = {"DISCOVERY_PREFIX", KIND_TOPIC, .otherwise = "homeassistant",
                                 .help = "Home Assistant's discovery prefix"},
    [OPTION_DISCOVERY_DIR] = {"DISCOVERY_DIR", KIND_TEXT,
                              .help = "folder of the announced entities"},
    [OPTION_BIRTH_TOPIC] = {"BIRTH_TOPIC", KIND_TOPIC, .otherwise = "homeassistant/status",
                            .help = "topic of Home Assistant's birth and will"},
    [OPTION_BIRTH_PAYLOAD] = {"BIRTH_PAYLOAD", KIND_TEXT, .otherwise = "online",
                              .help = "its birth message"},
    [OPTION_WILL_PAYLOAD] = {"WILL_PAYLOAD", KIND_TEXT, .otherwise = "offline",
                             .help = "its last will"},
    [OPTION_TZ] = {"TZ", KIND_ZONE,
                   .help =
                       "the home's time zone where neither Home Assistant nor its folder tells it"},
    [OPTION_LOCATION] = {"LOCATION", KIND_PLACE,
                         .help = "the home's LAT,LON (or LAT,LON,METRES) where neither tells it"},
    [OPTION_EXCLUDE] = {"EXCLUDE", KIND_TEXT,
                        .help = "entity ids or globs that are never read, separated by commas"},
    [OPTION_EXCLUDE_AREAS] = {"EXCLUDE_AREAS", KIND_TEXT,
                              .help = "names or ids of areas in which nothing is suggested"},
    [OPTION_EXCLUDE_PEOPLE] = {"EXCLUDE_PEOPLE", KIND_TEXT,
                               .help = "people (names, entity ids, ids of users) whose acts in "
                                       "Home Assistant show no habit"},
    [OPTION_ARCHIVE_DAYS] = {"ARCHIVE_DAYS", KIND_INT, .otherwise = "400", .min = 14, .max = 36500,
                             .help = "days of history that are kept in the archive"},
    [OPTION_TRIAL_DAYS] = {"TRIAL_DAYS", KIND_INT, .otherwise = "7", .min = 1, .max = 60,
                           .help = "days that a suggestion is tried in shadow"},
    [OPTION_TTL] = {"TTL", KIND_INT, .otherwise = "300", .min = 10, .max = 86400,
                    .help = "seconds after which an event or command is stale"},
    [OPTION_LOG_LEVEL] = {"LOG_LEVEL", KIND_CHOICE, .otherwise = "info",
                          .choices = "error|warn|info|debug", .help = "what is logged"},
};

const char *options_name(enum option_id id)
{
    return table[id].name;
}

const char *options_string(const struct options *options, enum option_id id)
{
    return options->value[id];
}

long options_int(const struct options *options, enum option_id id)
{
    return options->value[id] ? strtol(options->value[id], NULL, 10) : 0;
}

void options_release(struct options *options)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        free(options->value[i]);
        options->value[i] = NULL;
    }
}

static const struct row *find_row(const char *name, size_t len)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strlen(table[i].name) == len && strncmp(table[i].name, name, len) == 0)
            return &table[i];
    return NULL;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The inside of a quoted value (what follows the closing quote may only be a comment), or false. */
static bool is_quoted(const char *from, size_t len, const char **inside, size_t *inside_len)
{
    if (len < 2 || (from[0] != '"' && from[0] != '\''))
        return false;
    const char *close = memchr(from + 1, from[0], len - 1);
    const char *rest = close ? close + 1 : NULL;
    while (rest && rest < from + len && is_blank(*rest))
        rest++;
    *inside = from + 1;
    *inside_len = close ? (size_t)(close - from - 1) : 0;
    return close && (rest == from + len || *rest == '#');
}

/* The length of an unquoted value up to white space + '#' + white space. */
static size_t cut_comment(const struct row *row, const char *from, size_t len)
{
    for (size_t i = 0; i + 1 < len; i++) {
        if (!is_blank(from[i]) || from[i + 1] != '#' || (i + 2 < len && !is_blank(from[i + 2])))
            continue;
        log_info("options", "%s: what follows ' #' is taken as a comment", row->name);
        while (i > 0 && is_blank(from[i - 1]))
            i--;
        return i;
    }
    return len;
}

/* "<your-token>", or a URL with such a part. */
static bool is_placeholder(const struct row *row, const char *from, size_t len)
{
    if (row->kind != KIND_URL)
        return from[0] == '<' && from[len - 1] == '>';
    const char *open = memchr(from, '<', len);
    return open != NULL && memchr(open, '>', len - (size_t)(open - from)) != NULL;
}

/* The value as meant: without white space around it, quotes and comment; "" and placeholders count
 * as unset (NULL). Caller frees. */
static char *clean_value(const struct row *row, const char *raw)
{
    const char *from = raw;
    while (is_blank(*from) || (row->kind == KIND_ZONE && *from == ':')) /* ":Europe/Berlin" */
        from++;
    size_t len = strlen(from);
    while (len > 0 && (is_blank(from[len - 1]) || from[len - 1] == '\n'))
        len--;
    const char *inside;
    size_t inside_len;
    if (is_quoted(from, len, &inside, &inside_len))
        return inside_len == 0 ? NULL : xstrndup(inside, inside_len);
    len = cut_comment(row, from, len);
    if (len == 0)
        return NULL;
    if (is_placeholder(row, from, len)) {
        log_info("options", "%s is not filled in (a placeholder): taken as unset", row->name);
        return NULL;
    }
    return xstrndup(from, len);
}

static bool is_text(const struct row *row, const char *value)
{
    (void)row, (void)value;
    return true;
}

static bool is_int(const struct row *row, const char *value)
{
    char *end;
    errno = 0;
    long n = strtol(value, &end, 10);
    return errno == 0 && end != value && *end == '\0' && n >= row->min && n <= row->max;
}

static bool is_choice(const struct row *row, const char *value)
{
    size_t len = strlen(value);
    for (const char *c = row->choices; c != NULL; c = strchr(c, '|')) {
        c += *c == '|';
        if (strcspn(c, "|") == len && strncmp(c, value, len) == 0)
            return true;
    }
    return false;
}

static bool is_url(const struct row *row, const char *value)
{
    (void)row;
    bool http = strncmp(value, "http://", 7) == 0 || strncmp(value, "https://", 8) == 0;
    const char *host = http ? strstr(value, "//") + 2 : "";
    return *host != '\0' && *host != '/' && *host != ':' && strpbrk(value, " \t@<>\"") == NULL;
}

static bool is_id(const struct row *row, const char *value)
{
    (void)row;
    size_t len = strlen(value);
    return len <= 64 && strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

static bool is_topic(const struct row *row, const char *value)
{
    (void)row;
    size_t len = strlen(value);
    return len <= 200 && strpbrk(value, "+# \t") == NULL && value[0] != '/' &&
           value[len - 1] != '/';
}

static bool is_host(const struct row *row, const char *value)
{
    (void)row;
    return strlen(value) <= 255 && strpbrk(value, " \t/<>\"") == NULL;
}

/* A readable file with a certificate in it. */
static bool is_pem_file(const struct row *row, const char *path)
{
    char line[256];
    bool found = false;
    FILE *file = fopen(path, "re");
    (void)row;
    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL)
        found = strncmp(line, "-----BEGIN ", 11) == 0 && strstr(line, "CERTIFICATE-----") != NULL;
    if (file != NULL)
        fclose(file);
    return found;
}

static bool is_zone(const struct row *row, const char *name)
{
    struct error err = {0};
    struct tz *tz = tz_load(name, &err);
    (void)row;
    tz_free(tz);
    return tz != NULL;
}

int options_parse_place(const char *text, double *latitude, double *longitude, double *elevation_m)
{
    double *const parts[] = {latitude, longitude, elevation_m};
    *elevation_m = 0;
    for (int i = 0; i < 3; i++) {
        char *end;
        *parts[i] = strtod(text, &end);
        if (end == text || !isfinite(*parts[i]))
            return -1;
        if (*end == '\0' && i > 0)
            break;
        if (*end != ',' || i == 2)
            return -1;
        text = end + 1;
    }
    bool is_on_earth = fabs(*latitude) <= 90 && fabs(*longitude) <= 180 &&
                       *elevation_m >= OPTIONS_ELEVATION_MIN_M &&
                       *elevation_m <= OPTIONS_ELEVATION_MAX_M;
    return is_on_earth ? 0 : -1;
}

static bool is_place(const struct row *row, const char *text)
{
    (void)row;
    double latitude, longitude, elevation_m;
    return options_parse_place(text, &latitude, &longitude, &elevation_m) == 0;
}

/* What each kind takes, in code and in words. */
static const struct {
    bool (*is)(const struct row *row, const char *value);
    const char *words;
} kinds[] = {
    [KIND_TEXT] = {is_text, "text"},
    [KIND_INT] = {is_int, "a whole number"},
    [KIND_CHOICE] = {is_choice, "one of"},
    [KIND_URL] = {is_url, "http://HOST:PORT or https://HOST:PORT"},
    [KIND_ID] = {is_id, "1 to 64 of a-z, 0-9 and _"},
    [KIND_TOPIC] = {is_topic, "an MQTT topic without + and #"},
    [KIND_HOST] = {is_host, "a host name or address alone; its port goes into MQTT_PORT"},
    [KIND_PEM] = {is_pem_file, "a readable PEM file with a CA's certificate"},
    [KIND_ZONE] = {is_zone, "a time zone's name, as in Europe/Berlin"},
    [KIND_PLACE] = {is_place, OPTIONS_PLACE_TAKES},
};

/* The error names the variable and, unless it is secret, what it got. */
static int check_value(const struct row *row, const char *value, struct error *err)
{
    char takes[160];
    if (kinds[row->kind].is(row, value))
        return 0;
    if (row->kind == KIND_INT)
        snprintf(takes, sizeof(takes), "%s from %ld to %ld", kinds[row->kind].words, row->min,
                 row->max);
    else
        snprintf(takes, sizeof(takes), "%s%s%s", kinds[row->kind].words, row->choices ? " " : "",
                 row->choices ? row->choices : "");
    if (row->secret)
        return error_set(err, ERROR_INVALID, "%s has a value that is not %s", row->name, takes);
    return error_set(err, ERROR_INVALID, "%s is '%.100s', expected %s", row->name, value, takes);
}

static int set_value(struct options *out, const struct row *row, const char *raw, struct error *err)
{
    size_t id = (size_t)(row - table);
    if (strlen(raw) > OPTION_VALUE_MAX)
        return error_set(err, ERROR_LIMIT, "%s is longer than %d characters", row->name,
                         OPTION_VALUE_MAX);
    char *value = clean_value(row, raw);
    if (value == NULL)
        return 0;
    if (check_value(row, value, err) < 0) {
        free(value);
        return -1;
    }
    free(out->value[id]);
    out->value[id] = value;
    return 0;
}

/* NAME_FILE: the first line of the file is the value of a secret. */
static int set_from_file(struct options *out, const struct row *row, const char *path,
                         struct error *err)
{
    char buf[OPTION_VALUE_MAX + 2];
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return error_set(err, ERROR_IO, "%s_FILE: %s: %s", row->name, path, strerror(errno));
    errno = 0;
    size_t n = fread(buf, 1, sizeof(buf) - 1, file);
    int cause = ferror(file) ? errno : 0;
    fclose(file);
    if (cause != 0)
        return error_set(err, ERROR_IO, "%s_FILE: %s: %s", row->name, path, strerror(cause));
    if (n > OPTION_VALUE_MAX)
        return error_set(err, ERROR_LIMIT, "%s_FILE: %s is longer than %d bytes", row->name, path,
                         OPTION_VALUE_MAX);
    buf[n] = '\0';
    buf[strcspn(buf, "\r\n")] = '\0';
    size_t id = (size_t)(row - table);
    if (buf[0] == '\0')
        return error_set(err, ERROR_INVALID, "%s_FILE: %s is empty", row->name, path);
    free(out->value[id]); /* as it stands: a file has no comments and no quotes */
    out->value[id] = xstrdup(buf);
    return check_value(row, out->value[id], err);
}

/* One "NAME=value" assignment of either kind. -1 also for an unknown name. */
static int assign(struct options *out, const char *name, size_t name_len, const char *value,
                  struct error *err)
{
    const struct row *row = find_row(name, name_len);
    if (row != NULL)
        return set_value(out, row, value, err);
    if (name_len > 5 && strncmp(name + name_len - 5, "_FILE", 5) == 0) {
        row = find_row(name, name_len - 5);
        if (row != NULL && row->secret) {
            char *path = clean_value(row, value);
            int result = path ? set_from_file(out, row, path, err) : 0;
            free(path);
            return result;
        }
    }
    return error_set(err, ERROR_INVALID, "unknown variable %.*s", (int)name_len, name);
}

static int load_environment(struct options *out, struct error *err)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const char *value = getenv(table[i].name);
        if (value != NULL && set_value(out, &table[i], value, err) < 0)
            return -1;
        if (!table[i].secret)
            continue;
        char name[80];
        snprintf(name, sizeof(name), "%s_FILE", table[i].name);
        value = getenv(name);
        if (value != NULL && *value != '\0' && set_from_file(out, &table[i], value, err) < 0)
            return -1;
    }
    return 0;
}

static int load_file(struct options *out, const char *path, struct error *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return error_set(err, ERROR_IO, "--env-file %s: %s", path, strerror(errno));
    char line[OPTION_VALUE_MAX + 256];
    int number = 0, result = 0;
    while (result == 0 && fgets(line, sizeof(line), file) != NULL) {
        number++;
        size_t len = strlen(line);
        if (len == sizeof(line) - 1 && line[len - 1] != '\n') {
            result =
                error_set(err, ERROR_LIMIT, "line is longer than %d characters", OPTION_VALUE_MAX);
            break;
        }
        line[strcspn(line, "\r\n")] = '\0';
        char *name = line + strspn(line, " \t");
        if (strncmp(name, "export ", 7) == 0)
            name += 7;
        if (*name == '\0' || *name == '#')
            continue;
        char *equals = strchr(name, '=');
        if (equals == NULL || equals == name) {
            result = error_set(err, ERROR_INVALID, "expected NAME=value");
            break;
        }
        size_t name_len = (size_t)(equals - name);
        while (name_len > 0 && is_blank(name[name_len - 1]))
            name_len--;
        result = assign(out, name, name_len, equals + 1, err);
    }
    if (result == 0 && ferror(file))
        result = error_set(err, ERROR_IO, "cannot be read");
    fclose(file);
    return result < 0 ? error_prefix(err, "--env-file %s, line %d", path, number) : 0;
}

int options_load(struct options *out, const char *env_file, struct error *err)
{
    *out = (struct options){.value = {NULL}};
    if (load_environment(out, err) < 0 || (env_file && load_file(out, env_file, err) < 0)) {
        options_release(out);
        return -1;
    }
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (out->value[i] == NULL && table[i].otherwise != NULL)
            out->value[i] = xstrdup(table[i].otherwise);
    return 0;
}

void options_print_help(FILE *out)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct row *row = &table[i];
        fprintf(out, "  %-18s %s", row->name, row->help);
        if (row->otherwise)
            fprintf(out, " [%s]", row->otherwise);
        if (row->secret)
            fprintf(out, "; or %s_FILE", row->name);
        fputc('\n', out);
    }
}

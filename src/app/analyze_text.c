/* The result of an analysis as a person reads it on a terminal. */
#include <ctype.h>
#include <string.h>

#include "app/analyze.h"
#include "core/json.h"
#include "core/text.h"

enum { TEXT_WIDTH = 96, NAME_SIZE = 256 };

/* Words, broken between them, each line indented. */
static void print_wrapped(const char *text, int indent, FILE *out)
{
    int column = 0;
    while (*text != '\0') {
        int length = (int)strcspn(text, " \n");
        if (column > 0 && column + 1 + length > TEXT_WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        if (length > 0) {
            column += fprintf(out, "%*s%.*s", column == 0 ? indent : 1, "", length, text);
            text += length;
        }
        text += strspn(text, " \n");
    }
    fputc('\n', out);
}

/* --- JSON as YAML, as Home Assistant's editor shows automations --- */

/* Without quotes only what no YAML reader takes for something else. */
static bool is_plain(const char *text)
{
    static const char *const reserved[] = {"true", "false", "yes", "no", "on", "off", "null"};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (strcmp(text, reserved[i]) == 0)
            return false;
    if (!isalpha((unsigned char)text[0]))
        return false;
    for (const char *p = text; *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && strchr("_./-", *p) == NULL)
            return false;
    return true;
}

static void print_yaml(json_object *value, int indent, FILE *out);

static void print_scalar(json_object *value, FILE *out)
{
    const char *text = json_object_get_string(value);
    if (json_object_is_type(value, json_type_string) && is_plain(text))
        fprintf(out, "%s\n", text);
    else
        fprintf(out, "%s\n", json_text(value));
}

static bool is_empty(json_object *value)
{
    if (json_object_is_type(value, json_type_array))
        return json_object_array_length(value) == 0;
    return !json_object_is_type(value, json_type_object) || json_object_object_length(value) == 0;
}

static void print_value(json_object *value, int indent, FILE *out)
{
    if (is_empty(value)) {
        fputc(' ', out);
        print_scalar(value, out);
        return;
    }
    fputc('\n', out);
    print_yaml(value, indent, out);
}

/* The first line is indented by what stands before it already: "- " of a list. */
static void print_members(json_object *object, int indent, bool is_begun, FILE *out)
{
    json_object_object_foreach(object, key, member)
    {
        fprintf(out, "%*s%s:", is_begun ? 0 : indent, "", key);
        print_value(member, indent + 2, out);
        is_begun = false;
    }
}

static void print_yaml(json_object *value, int indent, FILE *out)
{
    if (!json_object_is_type(value, json_type_array)) {
        print_members(value, indent, false, out);
        return;
    }
    for (size_t i = 0; i < json_object_array_length(value); i++) {
        json_object *element = json_object_array_get_idx(value, i);
        fprintf(out, "%*s-", indent, "");
        if (json_object_is_type(element, json_type_object) && !is_empty(element)) {
            fputc(' ', out);
            print_members(element, indent + 2, true, out);
        } else {
            print_value(element, indent + 2, out);
        }
    }
}

/* --- the parts --- */

static void print_history(json_object *result, FILE *out)
{
    json_object *history = json_get_object(result, "history");
    const char *from = json_get_string(history, "from"), *to = json_get_string(history, "to");
    const char *zone = json_get_string(history, "timezone");
    fprintf(out, "%lld complete days from %.10s to %.10s (%s), %lld states of %lld entities; ",
            (long long)json_get_int(history, "days", 0), from ? from : "?", to ? to : "?",
            zone ? zone : "?", (long long)json_get_int(history, "state_changes", 0),
            (long long)json_get_int(history, "entities", 0));
    fprintf(out, "%lld hypotheses tested.\n",
            (long long)json_get_int(result, "hypotheses_tested", 0));
}

/* Of Home Assistant's own, when they are known. */
static void print_automations(json_object *automations, FILE *out)
{
    const char *problem = json_get_string(automations, "problem");
    if (automations == NULL)
        return;
    fprintf(out, "Held against %lld automations: %lld replayed, %lld only looked at",
            (long long)json_get_int(automations, "read", 0),
            (long long)json_get_int(automations, "replayed", 0),
            (long long)json_get_int(automations, "looked_at_only", 0));
    fprintf(out, ", %lld disabled, %lld unreadable.\n",
            (long long)json_get_int(automations, "disabled", 0),
            (long long)json_get_int(automations, "invalid", 0));
    if (problem != NULL)
        fprintf(out, "   %s\n", problem);
}

/* Side by side; the first is the suggestion's own form. */
static void print_variants(json_object *variants, FILE *out)
{
    size_t count = variants != NULL ? json_object_array_length(variants) : 0;
    if (count > 0)
        fputs("   forms (right, wrong, idle on the days not looked at; score):\n", out);
    for (size_t i = 0; i < count; i++) {
        json_object *form = json_object_array_get_idx(variants, i);
        json_object *backtest = json_get_object(form, "backtest");
        const char *title = json_get_string(form, "title");
        fprintf(out, "   %s %3lld %3lld %3lld  %.2f  %s\n", i == 0 ? "*" : " ",
                (long long)json_get_int(backtest, "hits", 0),
                (long long)json_get_int(backtest, "misses", 0),
                (long long)json_get_int(backtest, "idle", 0), json_get_double(form, "score", 0),
                title ? title : "?");
    }
}

/* With the automations that Home Assistant has. */
static void print_conflicts(json_object *conflicts, FILE *out)
{
    size_t count = conflicts != NULL ? json_object_array_length(conflicts) : 0;
    for (size_t i = 0; i < count; i++) {
        json_object *one = json_object_array_get_idx(conflicts, i);
        json_object *examples = json_get_array(one, "examples");
        const char *kind = json_get_string(one, "kind");
        const char *id = json_get_string(one, "automation");
        char shown[NAME_SIZE];
        text_copy_shown(shown, sizeof shown, id != NULL ? id : "an automation");
        fprintf(out, "   conflict (%s) with %s", kind ? kind : "?", shown);
        for (size_t k = 0; examples != NULL && k < json_object_array_length(examples); k++)
            fprintf(out, "%s %s", k == 0 ? ", as at" : ",",
                    json_object_get_string(json_object_array_get_idx(examples, k)));
        fputc('\n', out);
    }
}

static void print_suggestion(size_t number, json_object *suggestion, FILE *out)
{
    json_object *evidence = json_get_object(suggestion, "evidence");
    json_object *backtest = json_get_object(suggestion, "backtest");
    const char *title = json_get_string(suggestion, "title");
    const char *explanation = json_get_string(suggestion, "explanation");
    const char *id = json_get_string(suggestion, "id");
    fprintf(out, "\n%zu. %s\n", number, title ? title : "?");
    if (explanation != NULL)
        print_wrapped(explanation, 3, out);
    fprintf(out, "   evidence: %lld acts, on %lld days; chance explains it with q = %.2g\n",
            (long long)json_get_int(evidence, "occurrences", 0),
            (long long)json_get_int(evidence, "days", 0), json_get_double(evidence, "q_value", 1));
    fprintf(out,
            "   on %lld days not looked at before it would have run %lld times: %lld right, "
            "%lld wrong, %lld idle\n",
            (long long)json_get_int(backtest, "held_out_days", 0),
            (long long)json_get_int(backtest, "fires", 0),
            (long long)json_get_int(backtest, "hits", 0),
            (long long)json_get_int(backtest, "misses", 0),
            (long long)json_get_int(backtest, "idle", 0));
    fprintf(out, "   precision %.2f (at least %.2f with 95 %%), recall %.2f, score %.2f; id %s\n",
            json_get_double(backtest, "precision", 0),
            json_get_double(backtest, "precision_low", 0), json_get_double(backtest, "recall", 0),
            json_get_double(suggestion, "score", 0), id ? id : "?");
    print_conflicts(json_get_array(suggestion, "conflicts"), out);
    print_variants(json_get_array(suggestion, "variants"), out);
    fputs("   automation:\n", out);
    json_object *automation = json_get_object(suggestion, "automation");
    if (automation != NULL)
        print_yaml(automation, 5, out);
}

static void print_learning(json_object *learning, FILE *out)
{
    size_t count = learning != NULL ? json_object_array_length(learning) : 0;
    if (count > 0)
        fputs("\nStill learning:\n", out);
    for (size_t i = 0; i < count; i++) {
        json_object *item = json_object_array_get_idx(learning, i);
        const char *title = json_get_string(item, "title");
        const char *explanation = json_get_string(item, "explanation");
        fprintf(out, "- %s: %s\n", title ? title : "?", explanation ? explanation : "");
    }
}

static void print_anomalies(json_object *anomalies, FILE *out)
{
    size_t count = anomalies != NULL ? json_object_array_length(anomalies) : 0;
    if (count > 0)
        fputs("\nOut of the ordinary:\n", out);
    for (size_t i = 0; i < count; i++) {
        json_object *item = json_object_array_get_idx(anomalies, i);
        const char *title = json_get_string(item, "title");
        const char *explanation = json_get_string(item, "explanation");
        fprintf(out, "- %s\n", title ? title : "?");
        if (explanation != NULL)
            print_wrapped(explanation, 2, out);
    }
}

/* "held_out_faded" with spaces. */
static void print_reason(const char *reason, FILE *out)
{
    for (; *reason != '\0'; reason++)
        fputc(*reason == '_' ? ' ' : *reason, out);
}

static void print_explained(json_object *explained, FILE *out)
{
    if (explained == NULL)
        return;
    size_t count = json_object_array_length(explained);
    fprintf(out, "\nNot suggested%s\n", count > 0 ? ":" : ": nothing.");
    for (size_t i = 0; i < count; i++) {
        json_object *item = json_object_array_get_idx(explained, i);
        json_object *evidence = json_get_object(item, "evidence");
        json_object *training = json_get_object(item, "training");
        json_object *held_out = json_get_object(item, "backtest");
        const char *title = json_get_string(item, "title");
        const char *reason = json_get_string(item, "reason");
        const char *better = json_get_string(item, "better");
        fprintf(out, "- %s: ", title ? title : "?");
        print_reason(reason ? reason : "?", out);
        fprintf(out, "; on %lld of %lld days, q = %.2g",
                (long long)json_get_int(evidence, "days", 0),
                (long long)json_get_int(evidence, "of_days", 0),
                json_get_double(evidence, "q_value", 1));
        if (training != NULL && held_out != NULL)
            fprintf(out,
                    "; right %lld, wrong %lld, then on days not looked at right %lld, wrong %lld",
                    (long long)json_get_int(training, "hits", 0),
                    (long long)json_get_int(training, "misses", 0),
                    (long long)json_get_int(held_out, "hits", 0),
                    (long long)json_get_int(held_out, "misses", 0));
        if (better != NULL)
            fprintf(out, "; better: %s", better);
        fputc('\n', out);
    }
}

static void print_dropped(json_object *dropped, FILE *out)
{
    if (dropped == NULL || json_object_object_length(dropped) == 0)
        return;
    fputs("\nDropped:", out);
    const char *separator = " ";
    json_object_object_foreach(dropped, key, count)
    {
        fprintf(out, "%s%lld ", separator, (long long)json_object_get_int64(count));
        print_reason(key, out);
        separator = ", ";
    }
    fputc('\n', out);
}

void analyze_print_text(json_object *result, bool all, FILE *out)
{
    json_object *suggestions = json_get_array(result, "suggestions");
    size_t count = suggestions != NULL ? json_object_array_length(suggestions) : 0;
    print_history(result, out);
    print_automations(json_get_object(result, "automations"), out);
    fprintf(out, "%zu suggestion%s.\n", count, count == 1 ? "" : "s");
    size_t hidden = 0;
    for (size_t i = 0; i < count; i++) {
        json_object *suggestion = json_object_array_get_idx(suggestions, i);
        if (all || json_get_bool(suggestion, "shown", true))
            print_suggestion(i + 1, suggestion, out);
        else
            hidden++;
    }
    if (hidden > 0)
        fprintf(out, "\n%zu more %s kept: --all shows them.\n", hidden, hidden == 1 ? "is" : "are");
    print_anomalies(json_get_array(result, "anomalies"), out);
    print_learning(json_get_array(result, "learning"), out);
    print_dropped(json_get_object(result, "dropped"), out);
    print_explained(json_get_array(result, "explained"), out);
    json_object *timing = json_get_object(result, "timing");
    if (timing != NULL)
        fprintf(out, "\nRead in %lld ms, mined in %lld ms, %lld ms in all; peak memory %lld kB.\n",
                (long long)json_get_int(timing, "read_ms", 0),
                (long long)json_get_int(timing, "mine_ms", 0),
                (long long)json_get_int(timing, "total_ms", 0),
                (long long)json_get_int(timing, "peak_rss_kb", 0));
}

/* What a save by HA would take from an automations.yaml. HA reads the file and writes all of it
 * anew, so this looks for the three things that do not survive: a scanner of just enough YAML to
 * tell a comment or a tag from the text of an automation. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>

#include "ha/ha.h"

enum { FILE_MAX = 8 * 1024 * 1024 };

enum mode {
    NODE,   /* a value, key or list item may begin here */
    PLAIN,  /* in an unquoted text */
    SINGLE, /* in '...' */
    DOUBLE, /* in "..." */
    AFTER,  /* behind a quoted text or a bracket */
    BLOCK,  /* in the lines of a | or > text */
};

struct scanner {
    enum mode mode;
    int brackets; /* how deep in [] and {} */
    long parent;  /* column of the key or dash that the present value belongs to, -1 = none */
    long begin;   /* column at which the present text began: it may turn out to be a key */
    long comments, includes, secrets;
    long first_line; /* of the first finding */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\0';
}

static void find(struct scanner *s, long *counter, long line_number)
{
    (*counter)++;
    if (s->first_line == 0)
        s->first_line = line_number;
}

/* "!include x", "!secret y"; returns the first column behind the tag. */
static size_t scan_tag(struct scanner *s, const char *line, size_t i, long line_number)
{
    if (strncmp(line + i, "!include", 8) == 0)
        find(s, &s->includes, line_number);
    else if (strncmp(line + i, "!secret", 7) == 0)
        find(s, &s->secrets, line_number);
    while (!is_blank(line[i]))
        i++;
    return i;
}

/* A character at which a value, key or item may begin. */
static size_t scan_node(struct scanner *s, const char *line, size_t i, long line_number)
{
    char c = line[i];
    if ((c == '?' || (c == '-' && s->brackets == 0)) && is_blank(line[i + 1])) {
        s->parent = s->brackets == 0 ? (long)i : s->parent;
        return i + 1;
    }
    if (c == '!')
        return scan_tag(s, line, i, line_number);
    if (c == '&') {
        while (!is_blank(line[i]))
            i++;
        return i;
    }
    s->begin = (long)i;
    if (c == '\'' || c == '"') {
        s->mode = c == '"' ? DOUBLE : SINGLE;
    } else if (c == '[' || c == '{') {
        s->brackets++;
    } else if (s->brackets > 0 && (c == ']' || c == '}')) {
        s->brackets--;
        s->mode = AFTER;
    } else if (s->brackets > 0 && c == ',') {
        ;
    } else if (s->brackets == 0 && (c == '|' || c == '>')) {
        s->mode = BLOCK;
    } else {
        s->mode = PLAIN;
        return i; /* its first character may already be the colon of an empty key */
    }
    return i + 1;
}

static size_t scan_quoted(struct scanner *s, const char *line, size_t i)
{
    char c = line[i];
    if (s->mode == DOUBLE && c == '\\')
        return line[i + 1] != '\0' ? i + 2 : i + 1;
    if (s->mode == SINGLE && c == '\'' && line[i + 1] == '\'')
        return i + 2;
    if (c == (s->mode == DOUBLE ? '"' : '\''))
        s->mode = AFTER;
    return i + 1;
}

/* In or behind a text: what ends it. */
static size_t scan_text(struct scanner *s, const char *line, size_t i)
{
    char c = line[i];
    bool in_brackets = s->brackets > 0;
    if (c == ':' && (is_blank(line[i + 1]) || (in_brackets && strchr(",[]{}", line[i + 1])) ||
                     (in_brackets && s->mode == AFTER))) {
        if (!in_brackets)
            s->parent = s->begin;
        s->mode = NODE;
    } else if (in_brackets && c == ',') {
        s->mode = NODE;
    } else if (in_brackets && (c == ']' || c == '}')) {
        s->brackets--;
        s->mode = AFTER;
    }
    return i + 1;
}

/* The mode in which a line begins; false when it is text of a | or > throughout. */
static bool begin_line(struct scanner *s, const char *line, size_t indent)
{
    bool is_deeper = (long)indent > s->parent;
    if (s->mode == BLOCK) {
        if (is_blank(line[indent]) || is_deeper)
            return false;
        s->mode = NODE;
    }
    if (s->brackets == 0 && (s->mode == AFTER || (s->mode == PLAIN && !is_deeper)) &&
        !is_blank(line[indent]))
        s->mode = NODE;
    return true;
}

static void scan_line(struct scanner *s, const char *line, long line_number)
{
    size_t i = strspn(line, " ");
    if (!begin_line(s, line, i))
        return;
    if (i == 0 && s->mode == NODE && (strncmp(line, "---", 3) == 0) && is_blank(line[3]))
        i = 3;
    while (line[i] != '\0') {
        bool is_quoted = s->mode == SINGLE || s->mode == DOUBLE;
        if (line[i] == '#' && !is_quoted && (s->mode != PLAIN || i == 0 || is_blank(line[i - 1]))) {
            find(s, &s->comments, line_number);
            if (s->mode == PLAIN)
                s->mode = AFTER; /* a comment ends an unquoted text */
            return;
        }
        if (is_quoted)
            i = scan_quoted(s, line, i);
        else if (is_blank(line[i]) || s->mode == BLOCK) /* BLOCK: the rest of its header */
            i++;
        else if (s->mode == NODE)
            i = scan_node(s, line, i, line_number);
        else
            i = scan_text(s, line, i);
    }
}

static void describe(const struct scanner *s, char *why, size_t size)
{
    char comments[64] = "", includes[96] = "";
    if (s->secrets > 0) {
        snprintf(
            why, size,
            "automations.yaml uses !secret (first such line: %ld): HA refuses to edit such a file",
            s->first_line);
        return;
    }
    if (s->comments > 0)
        snprintf(comments, sizeof(comments), "%ld comment%s would be lost", s->comments,
                 s->comments == 1 ? "" : "s");
    if (s->includes > 0)
        snprintf(includes, sizeof(includes),
                 "%s%ld !include would be replaced by the file's content",
                 s->comments > 0 ? ", " : "", s->includes);
    snprintf(why, size, "HA rewrites automations.yaml when it saves: %s%s (first in line %ld)",
             comments, includes, s->first_line);
}

bool ha_automations_file_risk(const char *path, char *why, size_t size)
{
    struct scanner s = {.parent = -1};
    char *line = NULL;
    size_t capacity = 0;
    long line_number = 0;
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    if (st.st_size > FILE_MAX) {
        snprintf(why, size,
                 "automations.yaml is larger than %d MB: what HA would lose is not known",
                 FILE_MAX / 1024 / 1024);
        return true;
    }
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    while (line_number < FILE_MAX && getline(&line, &capacity, file) >= 0) {
        bool has_mark = line_number++ == 0 && strncmp(line, "\xef\xbb\xbf", 3) == 0;
        line[strcspn(line, "\n")] = '\0';
        scan_line(&s, line + (has_mark ? 3 : 0), line_number);
    }
    free(line);
    fclose(file);
    if (s.first_line != 0)
        describe(&s, why, size);
    return s.first_line != 0;
}

/* The scalars of YAML 1.1: the forms are those of PyYAML's resolver, the values its
 * SafeConstructor's. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "core/yaml.h"

enum { NUMBER_BYTES_MAX = 400 }; /* longer ones stay text */

#define DIGITS "0123456789"

static const char *skip_sign(const char *p)
{
    return *p == '+' || *p == '-' ? p + 1 : p;
}

static const char *skip(const char *p, const char *set)
{
    return p + strspn(p, set);
}

/* --- forms --- */

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

/* [eE][-+][0-9]+, or nothing. */
static bool is_exponent(const char *p)
{
    if (*p == '\0')
        return true;
    if (*p != 'e' && *p != 'E')
        return false;
    p++;
    return (*p == '+' || *p == '-') && isdigit((unsigned char)p[1]) && *skip(p + 1, DIGITS) == '\0';
}

/* (:[0-5]?[0-9])+; NULL when there is none. */
static const char *skip_sixties(const char *p)
{
    const char *begin = p;
    while (*p == ':' && isdigit((unsigned char)p[1])) {
        bool has_two = p[1] <= '5' && isdigit((unsigned char)p[2]);
        p += has_two ? 3 : 2;
    }
    return p > begin ? p : NULL;
}

static bool is_float(const char *text)
{
    static const char *const words[] = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf",
                                        "+.INF", "-.inf", "-.Inf", "-.INF", ".nan",
                                        ".NaN",  ".NAN",  NULL};
    if (is_one_of(text, words))
        return true;
    if (text[0] == '.')
        return isdigit((unsigned char)text[1]) && is_exponent(skip(text + 1, DIGITS "_"));
    const char *p = skip_sign(text);
    if (!isdigit((unsigned char)*p))
        return false;
    p = skip(p, DIGITS "_");
    if (*p == '.')
        return is_exponent(skip(p + 1, DIGITS "_"));
    p = skip_sixties(p);
    return p != NULL && *p == '.' && *skip(p + 1, DIGITS "_") == '\0';
}

static bool is_int(const char *text)
{
    const char *p = skip_sign(text);
    if (p[0] == '0') {
        const char *set = p[1] == 'b' ? "01_" : p[1] == 'x' ? DIGITS "abcdefABCDEF_" : "01234567_";
        p += p[1] == 'b' || p[1] == 'x' ? 2 : 1;
        return *skip(p, set) == '\0' && (*p != '\0' || p[-1] == '0');
    }
    if (!isdigit((unsigned char)*p))
        return false;
    p = skip(p, DIGITS "_");
    if (*p == ':')
        p = skip_sixties(p);
    return p != NULL && *p == '\0';
}

/* A number of low to high digits; NULL when there are others. */
static const char *skip_number(const char *p, size_t low, size_t high)
{
    size_t count = strspn(p, DIGITS);
    return count >= low && count <= high ? p + count : NULL;
}

static const char *skip_char(const char *p, char c)
{
    return p != NULL && *p == c ? p + 1 : NULL;
}

/* What follows the date of a timestamp: time, fraction, zone. */
static bool is_time_of_day(const char *p)
{
    if (*p == 'T' || *p == 't')
        p++;
    else if (*p == ' ' || *p == '\t')
        p = skip(p, " \t");
    else
        return false;
    for (int i = 0; i < 3 && p != NULL; i++) {
        p = skip_number(p, i == 0 ? 1 : 2, 2);
        if (i < 2)
            p = skip_char(p, ':');
    }
    if (p == NULL)
        return false;
    if (*p == '.')
        p = skip(p + 1, DIGITS);
    if (*p == '\0')
        return true;
    p = skip(p, " \t");
    if (strcmp(p, "Z") == 0)
        return true;
    if (*p != '+' && *p != '-')
        return false;
    p = skip_number(p + 1, 1, 2);
    if (p != NULL && *p == ':')
        p = skip_number(p + 1, 2, 2);
    return p != NULL && *p == '\0';
}

static bool is_timestamp(const char *text)
{
    const char *month = skip_char(skip_number(text, 4, 4), '-');
    const char *p = month != NULL ? skip_number(month, 1, 2) : NULL;
    const char *day = skip_char(p, '-');
    p = day != NULL ? skip_number(day, 1, 2) : NULL;
    if (p == NULL)
        return false;
    if (*p == '\0') /* a date alone has two digits each */
        return day - month == 3 && p - day == 2;
    return is_time_of_day(p);
}

enum yaml_kind yaml_resolve(const char *text)
{
    static const char *const bools[] = {"yes",  "Yes",   "YES",   "no",    "No",  "NO",   "on",
                                        "On",   "ON",    "off",   "Off",   "OFF", "true", "True",
                                        "TRUE", "false", "False", "FALSE", NULL};
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    if (strlen(text) > NUMBER_BYTES_MAX)
        return YAML_KIND_STRING;
    if (is_one_of(text, nulls))
        return YAML_KIND_NULL;
    if (is_one_of(text, bools))
        return YAML_KIND_BOOL;
    if (is_float(text))
        return YAML_KIND_FLOAT;
    if (is_int(text))
        return YAML_KIND_INT;
    if (is_timestamp(text))
        return YAML_KIND_TIMESTAMP;
    if (strcmp(text, "<<") == 0)
        return YAML_KIND_MERGE;
    return strcmp(text, "=") == 0 ? YAML_KIND_DEFAULT : YAML_KIND_STRING;
}

/* --- values --- */

static int construct_bool(const char *text, json_object **out)
{
    static const char *const words[] = {"yes", "true", "on", "no", "false", "off"};
    enum { TRUE_WORDS = 3, WORDS = 6 };
    for (int i = 0; i < WORDS; i++) {
        size_t k = 0;
        while (text[k] != '\0' && tolower((unsigned char)text[k]) == words[i][k])
            k++;
        if (text[k] != '\0' || words[i][k] != '\0')
            continue;
        *out = json_object_new_boolean(i < TRUE_WORDS);
        return 0;
    }
    return -1;
}

/* A number of that base; beyond 64 bits only *as_double is right. -1 when it is none. */
static int parse_digits(const char *digits, int base, uint64_t *value, double *as_double)
{
    *value = 0;
    *as_double = 0;
    if (*digits == '\0')
        return -1;
    for (const char *p = digits; *p != '\0'; p++) {
        int c = tolower((unsigned char)*p);
        int digit = isdigit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : base;
        if (digit >= base)
            return -1;
        *value = *value * (uint64_t)base + (uint64_t)digit;
        *as_double = *as_double * base + digit;
    }
    return 0;
}

/* 7:30:00 */
static int parse_sixties(char *text, uint64_t *value, double *as_double)
{
    *value = 0;
    *as_double = 0;
    for (char *part = text; part != NULL;) {
        char *end = strchr(part, ':');
        if (end != NULL)
            *end++ = '\0';
        uint64_t number;
        double number_as_double;
        if (parse_digits(part, 10, &number, &number_as_double) != 0)
            return -1;
        *value = *value * 60 + number;
        *as_double = *as_double * 60 + number_as_double;
        part = end;
    }
    return 0;
}

static int construct_int(char *text, json_object **out)
{
    double sign = *text == '-' ? -1 : 1, as_double;
    char *p = text + (*text == '-' || *text == '+');
    uint64_t value;
    int result;
    if (strncmp(p, "0b", 2) == 0)
        result = parse_digits(p + 2, 2, &value, &as_double);
    else if (strncmp(p, "0x", 2) == 0)
        result = parse_digits(p + 2, 16, &value, &as_double);
    else if (p[0] == '0')
        result = parse_digits(p, 8, &value, &as_double);
    else
        result = parse_sixties(p, &value, &as_double);
    if (result != 0)
        return -1;
    if (as_double < 1e19 && value <= INT64_MAX) /* nothing ran over */
        *out = json_object_new_int64(sign < 0 ? -(int64_t)value : (int64_t)value);
    else
        *out = json_object_new_double(sign * as_double);
    return 0;
}

/* A number without a sign that Python's float() takes. */
static int parse_float(const char *text, double *value)
{
    char *end;
    if (*text == '\0' || *skip(text, DIGITS ".eE+-") != '\0')
        return -1;
    errno = 0;
    *value = strtod(text, &end);
    return end == text || *end != '\0' ? -1 : 0;
}

static int construct_float(char *text, json_object **out)
{
    double sign = *text == '-' ? -1 : 1, value = 0;
    char *p = text + (*text == '-' || *text == '+');
    for (char *c = p; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    if (strcmp(p, ".inf") == 0) {
        value = (double)INFINITY;
    } else if (strcmp(p, ".nan") == 0) {
        value = (double)NAN;
    } else {
        for (char *part = p; part != NULL;) {
            char *end = strchr(part, ':');
            double number;
            if (end != NULL)
                *end++ = '\0';
            if (parse_float(part, &number) != 0)
                return -1;
            value = value * 60 + number;
            part = end;
        }
    }
    *out = json_object_new_double(sign * value);
    return 0;
}

static bool is_real_date(const char *text)
{
    static const int lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (!is_timestamp(text))
        return false;
    char *p;
    long year = strtol(text, &p, 10), month = strtol(p + 1, &p, 10), day = strtol(p + 1, &p, 10);
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > lengths[month - 1] ||
        (month == 2 && day == 29 && !is_leap))
        return false;
    if (*p == '\0')
        return true;
    p += strcspn(p, DIGITS);
    long hour = strtol(p, &p, 10), minute = strtol(p + 1, &p, 10), second = strtol(p + 1, &p, 10);
    return hour < 24 && minute < 60 && second < 60;
}

int yaml_construct(enum yaml_kind kind, const char *text, size_t length, json_object **out)
{
    *out = NULL;
    if (kind == YAML_KIND_NULL)
        return 0;
    if (kind == YAML_KIND_BOOL)
        return construct_bool(text, out);
    if (kind == YAML_KIND_INT || kind == YAML_KIND_FLOAT) {
        char number[NUMBER_BYTES_MAX + 1], *to = number;
        if (length > NUMBER_BYTES_MAX)
            return -1;
        for (const char *p = text; *p != '\0'; p++)
            if (*p != '_')
                *to++ = *p;
        *to = '\0';
        return kind == YAML_KIND_INT ? construct_int(number, out) : construct_float(number, out);
    }
    if (kind == YAML_KIND_TIMESTAMP && !is_real_date(text))
        return -1;
    *out = json_object_new_string_len(text, (int)length);
    return 0;
}

/* Functions that must not be called in src/: force-included before every source file by the
 * Makefile.
 *
 * The prototypes are compatible redeclarations of libc's, with an attribute that makes every later
 * use a compile error. No system header is included here, so that a file can still define
 * _GNU_SOURCE first. (alloca is a macro: -Walloca takes care of it.) */
#ifndef HA_AI_CORE_BANNED_H
#define HA_AI_CORE_BANNED_H

#define BANNED(instead) __attribute__((unavailable(instead)))

/* They write without knowing the size of the buffer, or leave it unterminated. */
char *gets(char *) BANNED("use getline");
char *strcpy(char *__restrict, const char *__restrict) BANNED("use xstrdup or snprintf");
char *strcat(char *__restrict, const char *__restrict) BANNED("use xasprintf or snprintf");
char *strncpy(char *__restrict, const char *__restrict, __SIZE_TYPE__) BANNED("use snprintf");
char *strncat(char *__restrict, const char *__restrict, __SIZE_TYPE__) BANNED("use snprintf");
int sprintf(char *__restrict, const char *__restrict, ...) BANNED("use snprintf");
int vsprintf(char *__restrict, const char *__restrict, __builtin_va_list) BANNED("use vsnprintf");

/* They keep hidden state, shared by all threads. */
struct tm;
char *strtok(char *__restrict, const char *__restrict) BANNED("use strtok_r or strcspn");
char *asctime(const struct tm *) BANNED("use clock_format_rfc3339");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes" /* time_t is not known before <time.h> */
char *ctime() BANNED("use clock_format_rfc3339");
struct tm *gmtime() BANNED("use gmtime_r");
struct tm *localtime() BANNED("use tz_to_local: the process's zone is not the home's");
struct tm *localtime_r() BANNED("use tz_to_local: the process's zone is not the home's");
#pragma GCC diagnostic pop

/* They cannot tell an error from a number. */
int atoi(const char *) BANNED("use strtol and check its end and errno");
long atol(const char *) BANNED("use strtol and check its end and errno");
long long atoll(const char *) BANNED("use strtoll and check its end and errno");
double atof(const char *) BANNED("use strtod and check its end and errno");

/* A shell reads what may come from the network; a name is free only until it is used. */
struct _IO_FILE;
int system(const char *) BANNED("use posix_spawn");
struct _IO_FILE *popen(const char *, const char *) BANNED("use posix_spawn and pipe");
char *tmpnam(char *) BANNED("use mkstemp");
char *tempnam(const char *, const char *) BANNED("use mkstemp");
char *mktemp(char *) BANNED("use mkstemp");

#undef BANNED
#endif

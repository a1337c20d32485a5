/* The picture of a suggestion's evidence as SVG: a column for each day, the time of day downwards,
 * what a person did and what the automation would have done. Pure; any thread.
 *
 * It brings its own panel, in the colours of a light or a dark screen, and every kind of mark has a
 * shape of its own, so that it reads on any dashboard and without colours. It holds no script and
 * refers to nothing outside. */
#ifndef HA_AI_PLOT_EVIDENCE_H
#define HA_AI_PLOT_EVIDENCE_H

#include <json-c/json.h>

enum {
    PLOT_SVG_MAX = 64 * 1024, /* bytes, whatever it is drawn from */
    PLOT_DAYS_MAX = 120,      /* of a picture; the newest are drawn */
    PLOT_MARKS_MAX = 1500,    /* of all kinds; further ones are left out */
    PLOT_TITLE_CHARS = 112,   /* what is longer is cut */
};

/* What the marks mean; of acts, or of uses that are ended. */
struct plot_legend {
    const char *you, *you_hit, *you_other;        /* what the person did */
    const char *it, *it_hit, *it_idle, *it_wrong; /* what the automation would have done */
};

/* What is written in it, to be translated. */
struct plot_texts {
    struct plot_legend acts, uses;
    const char *learned, *tested, *other, *unknown; /* days */
    const char *summary;    /* with {days}, {fires}, {hits}, {idle} and {wrong} */
    const char *nothing;    /* nothing is selected */
    const char *no_picture; /* of what is selected */
    const char *months[12]; /* short: "Jan" */
};
extern const struct plot_texts plot_english;

/* Draws the "picture" of a suggestion (docs/analyze-format.md). What is missing or malformed in it
 * is not drawn; without days it says that there is no picture. title: any text, which is escaped;
 * NULL = nothing is selected. texts NULL = English. At most PLOT_SVG_MAX bytes, valid XML
 * in UTF-8, ended by NUL; the caller frees. */
char *plot_evidence(json_object *picture, const char *title, const struct plot_texts *texts);

#endif

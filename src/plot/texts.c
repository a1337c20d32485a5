/* Every word of the pictures, in English. */
#include "plot/evidence.h"

const struct plot_texts plot_english = {
    .acts = {.you = "You did it",
             .you_hit = "as the automation would",
             .you_other = "at another time",
             .it = "The automation would have run",
             .it_hit = "and you did it",
             .it_idle = "and it was so already",
             .it_wrong = "and you did not"},
    .uses = {.you = "You switched it off",
             .you_hit = "late: it was left on",
             .you_other = "in time",
             .it = "The automation would have ended",
             .it_hit = "what was left on",
             .it_idle = "what ended by itself",
             .it_wrong = "what was still wanted"},
    .learned = "learned from",
    .tested = "tested on",
    .other = "not its day",
    .unknown = "not recorded",
    .summary = "{days} days, {fires} runs: {hits} right, {idle} idle, {wrong} wrong",
    .nothing = "No suggestion is selected",
    .no_picture = "There is no picture of this one",
    .months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"},
};

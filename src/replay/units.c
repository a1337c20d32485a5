#include "replay/units.h"

#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"

/* At 20 °C and 1 atm, m³/mol. */
#define MOLAR_VOLUME (8.31446261815324 * 293.15 / 101325)
#define GAS(molar_mass) ((molar_mass) / MOLAR_VOLUME)

#define UG "μg/m³"

const struct units units_temperature = {.list = {{"°C", 1}, {"°F", 1.8}, {"K", 1}},
                                        .is_temperature = true};
const struct units units_power = {.list = {{"W", 1},
                                           {"mW", 1000},
                                           {"kW", 1.0 / 1000},
                                           {"MW", 1 / 1e6},
                                           {"GW", 1 / 1e9},
                                           {"TW", 1 / 1e12},
                                           {"BTU/h", 1 / 0.29307107}}};
const struct units units_co = {
    .list = {{UG, GAS(28.01) * 1e6}, {"mg/m³", GAS(28.01) * 1e3}, {"ppb", 1e9}, {"ppm", 1e6}}};
const struct units units_ozone = {.list = {{UG, GAS(48.00) * 1e6}, {"ppb", 1e9}, {"ppm", 1e6}}};
const struct units units_no = {.list = {{UG, GAS(30.0061) * 1e6}, {"ppb", 1e9}}};
const struct units units_no2 = {.list = {{UG, GAS(46.0055) * 1e6}, {"ppb", 1e9}, {"ppm", 1e6}}};
const struct units units_so2 = {.list = {{UG, GAS(64.066) * 1e6}, {"ppb", 1e9}}};
const struct units units_density = {.list = {{UG, 1e6}, {"mg/m³", 1000}, {"g/m³", 1}}};
const struct units units_ratio = {.list = {{"ppb", 1e9}, {"ppm", 1e6}, {"%", 100}, {"", 1}}};
const struct units units_radiation = {.list = {{"Bq/m³", 1}, {"pCi/L", 1.0 / 37}}};

bool units_convert(const struct units *units, double value, const char *name, double *out)
{
    size_t i = 0;
    while (units->list[i].name != NULL && strcmp(units->list[i].name, name) != 0)
        i++;
    if (units->list[i].name == NULL)
        return false;
    if (i == 0)
        *out = value;
    else if (!units->is_temperature)
        *out = (value / units->list[i].ratio) * units->list[0].ratio;
    else
        *out = strcmp(name, "K") == 0 ? value - 273.15 : (value - 32.0) / 1.8;
    return true;
}

char *units_names(const struct units *units)
{
    char *names = xstrdup("");
    for (size_t i = 0; units->list[i].name != NULL; i++) {
        const char *between = i == 0 ? "" : units->list[i + 1].name == NULL ? " or " : ", ";
        const char *name = units->list[i].name[0] != '\0' ? units->list[i].name : "null";
        char *more = xasprintf("%s%s%s", names, between, name);
        free(names);
        names = more;
    }
    return names;
}

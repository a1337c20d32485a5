/* What a line of an environment file means: the seed's template must work as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "core/options.h"

static char path[] = "/tmp/ha-ai-options-XXXXXX";

/* Loads a file of these lines; the result of options_load. */
static int load(const char *lines, struct options *out, struct error *err)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(lines, file);
    assert_int_equal(fclose(file), 0);
    return options_load(out, path, err);
}

static void expect(const char *line, enum option_id id, const char *value)
{
    struct options options;
    struct error err = {0};
    if (load(line, &options, &err) < 0)
        fail_msg("%s: %s", line, err.message);
    if (value == NULL)
        assert_null(options_string(&options, id));
    else
        assert_string_equal(options_string(&options, id), value);
    options_release(&options);
}

static void expect_error(const char *lines, const char *word)
{
    struct options options;
    struct error err = {0};
    assert_int_equal(load(lines, &options, &err), -1);
    if (strstr(err.message, word) == NULL)
        fail_msg("'%s' is not in: %s", word, err.message);
    assert_null(strstr(err.message, "s3cret"));
}

static void test_values(void **state)
{
    (void)state;
    expect("MQTT_BROKER=home-assistant\n", OPTION_MQTT_BROKER, "home-assistant");
    expect("export MQTT_BROKER = \"ha\"  # mine\r\n", OPTION_MQTT_BROKER, "ha");
    expect("MQTT_BROKER=192.168.1.100  # e.g., 192.168.1.100\n", OPTION_MQTT_BROKER,
           "192.168.1.100");
    expect("ANALYSIS_SCHEDULE=0 3 * * *  # 3 AM daily\n", OPTION_ANALYSIS_SCHEDULE, "0 3 * * *");
    expect("ANALYSIS_SCHEDULE=\n", OPTION_ANALYSIS_SCHEDULE, "0 3 * * *");
    expect("MQTT_PASSWORD=a#b #c\n", OPTION_MQTT_PASSWORD, "a#b #c");
    expect("MQTT_PASSWORD=a # b\n", OPTION_MQTT_PASSWORD, "a");
    expect("MQTT_PASSWORD='a # b'\n", OPTION_MQTT_PASSWORD, "a # b");
    expect("MQTT_PASSWORD=\"\"\n", OPTION_MQTT_PASSWORD, NULL);
    expect("MQTT_PASSWORD=it's\n", OPTION_MQTT_PASSWORD, "it's");
    expect("MQTT_PASSWORD=<a>b\n", OPTION_MQTT_PASSWORD, "<a>b");
    expect("TZ=:Europe/Berlin\n", OPTION_TZ, "Europe/Berlin");
}

static void test_placeholders(void **state)
{
    (void)state;
    expect("MQTT_BROKER=<HA_SERVER_IP>  # e.g., 192.168.1.100 or home-assistant\n",
           OPTION_MQTT_BROKER, NULL);
    expect("HA_URL=http://<HA_SERVER_IP>:8123\n", OPTION_HA_URL, NULL);
    expect("OPENAI_API_KEY=<your-openai-api-key>\n", OPTION_OPENAI_API_KEY, NULL);
}

static void test_errors(void **state)
{
    (void)state;
    expect_error("MQTT_BROKR=x\n", "MQTT_BROKR");
    expect_error("# fine\n\nMQTT_PORT=s3\n", "line 3");
    expect_error("MQTT_PORT=65536\n", "1 to 65535");
    expect_error("MQTT_PORT=\"1883\" x\n", "MQTT_PORT");
    expect_error("just words\n", "NAME=value");
    expect_error("LOG_LEVEL=infos\n", "error|warn|info|debug");
    expect_error("HA_URL=192.168.1.2:8123\n", "http://HOST:PORT");
    expect_error("INSTANCE=Has-Dash\n", "a-z, 0-9 and _");
    expect_error("BIRTH_TOPIC=homeassistant/#\n", "without + and #");
    expect_error("MQTT_BROKER=mqtt://host\n", "MQTT_PORT");
    expect_error("MQTT_PASSWORD_FILE=/nowhere/s\n", "MQTT_PASSWORD_FILE");
    expect_error("LOCATION=91,0\n", "LAT,LON");
    expect_error("LOCATION=52.5,13.4,99999\n", "METRES");
    expect_error("TZ=Europe/Nowhere\n", "Europe/Berlin");
}

static void test_limits(void **state)
{
    (void)state;
    char *line = calloc(1, 10000);
    assert_non_null(line);
    strcpy(line, "EXCLUDE=");
    memset(line + 8, 'a', 8192);
    expect(line, OPTION_EXCLUDE, line + 8);
    line[8 + 8192] = 'a';
    expect_error(line, "8192");
    memset(line + 8, 'a', 9500);
    expect_error(line, "8192");
    free(line);
}

static void test_secret_files(void **state)
{
    (void)state;
    char secret[] = "/tmp/ha-ai-secret-XXXXXX", line[128];
    int fd = mkstemp(secret);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a # <b>\r\nmore\n", 14), 14);
    close(fd);
    snprintf(line, sizeof(line), "HA_TOKEN_FILE=%s\n", secret);
    expect(line, OPTION_HA_TOKEN, "a # <b>");
    assert_int_equal(truncate(secret, 0), 0);
    expect_error(line, "is empty");
    unlink(secret);
}

int main(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    for (int id = 0; id < OPTION_COUNT; id++)
        unsetenv(options_name((enum option_id)id));
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),       cmocka_unit_test(test_placeholders),
        cmocka_unit_test(test_errors),       cmocka_unit_test(test_limits),
        cmocka_unit_test(test_secret_files),
    };
    int result = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return result;
}

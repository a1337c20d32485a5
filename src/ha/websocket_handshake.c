/* The upgrade from HTTP to WebSocket: a key, and whether the answer belongs to it. */
#define _GNU_SOURCE /* getrandom */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sys/random.h>

#include "ha/websocket.h"

enum { SHA1_BYTES = 20, BLOCK_BYTES = 64, KEY_BYTES = 16, VALUE_MAX = 256 };

/* --- SHA-1 of one short text: the handshake asks for it, it protects nothing --- */

static uint32_t rotate(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

static void digest_block(uint32_t h[5], const uint8_t *block)
{
    uint32_t w[80];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20   ? (b & c) | (~b & d)
                     : i < 40 ? b ^ c ^ d
                     : i < 60 ? (b & c) | (b & d) | (c & d)
                              : b ^ c ^ d;
        static const uint32_t k[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
        uint32_t next = rotate(a, 5) + f + e + k[i / 20] + w[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

/* len must leave room for the end in two blocks. */
static void sha1(const char *text, size_t len, uint8_t out[SHA1_BYTES])
{
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint8_t data[2 * BLOCK_BYTES] = {0};
    size_t size = len + 9 <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;
    if (len + 9 > sizeof(data))
        abort();
    memcpy(data, text, len);
    data[len] = 0x80;
    for (int i = 0; i < 4; i++)
        data[size - 1 - (size_t)i] = (uint8_t)((uint64_t)len * 8 >> (8 * i));
    for (size_t at = 0; at < size; at += BLOCK_BYTES)
        digest_block(h, data + at);
    for (int i = 0; i < SHA1_BYTES; i++)
        out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static void base64(const uint8_t *data, size_t len, char *out)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = (uint32_t)data[i] << 16;
        bits |= i + 1 < len ? (uint32_t)data[i + 1] << 8 : 0;
        bits |= i + 2 < len ? data[i + 2] : 0;
        *out++ = alphabet[bits >> 18];
        *out++ = alphabet[bits >> 12 & 63];
        *out++ = i + 1 < len ? alphabet[bits >> 6 & 63] : '=';
        *out++ = i + 2 < len ? alphabet[bits & 63] : '=';
    }
    *out = '\0';
}

void websocket_make_key(char key[WEBSOCKET_KEY_SIZE])
{
    uint8_t bytes[KEY_BYTES];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        abort(); /* the kernel's generator cannot fail once seeded */
    base64(bytes, sizeof(bytes), key);
}

void websocket_accept_of(const char *key, char accept[WEBSOCKET_ACCEPT_SIZE])
{
    char text[BLOCK_BYTES + 1];
    uint8_t digest[SHA1_BYTES];
    int len = snprintf(text, sizeof(text), "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    sha1(text, (size_t)len, digest);
    base64(digest, sizeof(digest), accept);
}

/* The value of a header without the blanks around it; false when it is not there. */
static bool find_header(const char *head, const char *name, char value[VALUE_MAX])
{
    size_t name_len = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, name_len) != 0 || line[name_len] != ':')
            continue;
        const char *begin = line + name_len + 1;
        begin += strspn(begin, " \t");
        size_t len = strcspn(begin, "\r\n");
        while (len > 0 && (begin[len - 1] == ' ' || begin[len - 1] == '\t'))
            len--;
        snprintf(value, VALUE_MAX, "%.*s", (int)(len < VALUE_MAX ? len : VALUE_MAX - 1), begin);
        return true;
    }
    return false;
}

/* "keep-alive, Upgrade" has "upgrade". */
static bool has_word(const char *value, const char *word)
{
    size_t len = strlen(word);
    for (const char *p = value; *p != '\0'; p += strspn(p, ", \t")) {
        size_t n = strcspn(p, ", \t");
        if (n == len && strncasecmp(p, word, len) == 0)
            return true;
        p += n;
    }
    return false;
}

int websocket_check_upgrade(const char *head, const char *key, char *why, size_t size)
{
    char value[VALUE_MAX], accept[WEBSOCKET_ACCEPT_SIZE];
    websocket_accept_of(key, accept);
    if (strncmp(head, "HTTP/1.1 ", 9) != 0)
        snprintf(why, size, "it does not answer in HTTP/1.1");
    else if (strncmp(head + 9, "101", 3) != 0 || (head[12] != ' ' && head[12] != '\r'))
        snprintf(why, size, "it answers %.*s instead of 101 (does a proxy let no WebSocket pass?)",
                 (int)strspn(head + 9, "0123456789"), head + 9);
    else if (!find_header(head, "Upgrade", value) || strcasecmp(value, "websocket") != 0)
        snprintf(why, size, "its answer has no 'Upgrade: websocket'");
    else if (!find_header(head, "Connection", value) || !has_word(value, "upgrade"))
        snprintf(why, size, "its answer has no 'Connection: Upgrade'");
    else if (!find_header(head, "Sec-WebSocket-Accept", value) || strcmp(value, accept) != 0)
        snprintf(why, size, "its Sec-WebSocket-Accept does not belong to our key");
    else if (find_header(head, "Sec-WebSocket-Extensions", value) ||
             find_header(head, "Sec-WebSocket-Protocol", value))
        snprintf(why, size, "it wants an extension or protocol that was not offered");
    else
        return 0;
    return -1;
}

// Requests of browsers: what is understood, and who may have the WebSocket.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "display/vnc/web.h"

static int parse(const char *text, struct vnc_request *request)
{
    return vnc_request_parse(text, strlen(text), request);
}

static void a_request(void **state)
{
    struct vnc_request request;
    assert_int_equal(
        parse("GET /app/ui%2Ejs?v=1 HTTP/1.1\r\nHost: localhost:5800\r\n\r\n", &request), 0);
    assert_string_equal(request.path, "/app/ui.js");
    assert_string_equal(request.host, "localhost:5800");
    assert_true(request.keep);
    assert_false(request.websocket);
    assert_int_equal(parse("HEAD / HTTP/1.0\r\n\r\n", &request), 0);
    assert_true(request.head);
    assert_false(request.keep);
    assert_int_equal(parse("GET / HTTP/1.1\r\nconnection: Keep-Alive, Upgrade\r\n"
                           "UPGRADE:WebSocket \r\nOrigin: http://a:1\r\nHost: a:1\r\n\r\n",
                           &request),
                     0);
    assert_true(request.websocket);
    assert_string_equal(request.origin, "http://a:1");
    assert_int_equal(parse("GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", &request), 0);
    assert_false(request.websocket); // Connection does not say so
}

static void requests_that_are_none(void **state)
{
    struct vnc_request request;
    static const char *const texts[] = {
        "",
        "\r\n\r\n",
        "GET",
        "GET /\r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        "GET  HTTP/1.1\r\n\r\n",
        "GET x HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\n\r\n",
        "GET /.. HTTP/1.1\r\n\r\n",
        "GET /a/../b HTTP/1.1\r\n\r\n",
        "GET /%2e%2e/b HTTP/1.1\r\n\r\n",
        "GET /.hidden HTTP/1.1\r\n\r\n",
        "GET /a%00b HTTP/1.1\r\n\r\n",
        "GET /a%0ab HTTP/1.1\r\n\r\n",
        "GET /a%2 HTTP/1.1\r\n\r\n",
        "GET /a%zz HTTP/1.1\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_not_equal(parse(texts[i], &request), 0);
    assert_int_not_equal(vnc_request_parse("GET / HTTP/1.1\r\nA: \0b\r\n\r\n", 25, &request), 0);
    char text[4000] = "GET /";
    memset(text + 5, 'a', 2000);
    strcpy(text + 2005, " HTTP/1.1\r\n\r\n");
    assert_int_not_equal(parse(text, &request), 0);
}

static void any_bytes(void **state)
{
    unsigned seed = 3;
    char text[512];
    static const char head[] = "GET /a?b HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\n"
                               "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n";
    for (int i = 0; i < 200000; i++) {
        struct vnc_request request;
        size_t size = sizeof(head) - 1;
        memcpy(text, head, size);
        for (int j = 0; j < 3; j++) {
            seed = seed * 1103515245 + 12345;
            text[(seed >> 8) % size] = (char)(seed >> 24);
        }
        size = i % 4 ? size : (seed >> 12) % size;
        if (!vnc_request_parse(text, size, &request)) {
            assert_int_equal(request.path[0], '/');
            assert_null(strstr(request.path, "/."));
            vnc_request_may_join(&request, true);
        }
    }
}

static void who_may_join(void **state)
{
    static const struct {
        const char *host, *origin;
        bool local, beyond;
    } cases[] = {
        {"localhost:5800", "http://localhost:5800", true, true},
        {"LOCALHOST:5800", "http://localhost:5800", true, true},
        {"127.0.0.1:5800", "http://127.0.0.1:5800", true, true},
        {"127.0.0.1:5800", "https://127.0.0.1:5800", true, true},
        {"[::1]:5800", "http://[::1]:5800", true, true},
        {"[::1].evil:5800", "http://[::1].evil:5800", false, true},
        {"box:5800", "http://box:5800", false, true},
        {"127.evil:5800", "http://127.evil:5800", false, true},
        {"localhost.evil", "http://localhost.evil", false, true},
        {"localhost:5800", "http://evil", false, false},
        {"localhost:5800", "http://localhost:5801", false, false},
        {"localhost:5800", "null", false, false},
        {"localhost:5800", "", false, false},
        {"", "http://", false, false},
        {"localhost:5800", "file://localhost:5800", false, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct vnc_request request = {.websocket = true};
        strcpy(request.host, cases[i].host);
        strcpy(request.origin, cases[i].origin);
        if (vnc_request_may_join(&request, true) != cases[i].local ||
            vnc_request_may_join(&request, false) != cases[i].beyond)
            fail_msg("%s at %s", cases[i].origin, cases[i].host);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request),
        cmocka_unit_test(requests_that_are_none),
        cmocka_unit_test(any_bytes),
        cmocka_unit_test(who_may_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

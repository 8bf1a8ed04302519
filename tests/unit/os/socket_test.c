#include "../flavour.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/shm.h"
#include "os/socket.h"

static bool close_on_exec(int fd)
{
    return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

static void descriptors_travel_with_the_first_byte(void **state)
{
    int pair[2];
    assert_int_equal(os_socket_pair(pair), 0);
    assert_true(close_on_exec(pair[0]) && close_on_exec(pair[1]));
    int sent[2] = {os_shm_create("a", 4096), os_shm_create("b", 8192)};
    assert_int_equal(os_socket_send(pair[0], "hello", 5, sent, 2), 5);

    char text[2];
    int fds[4];
    unsigned count = 0;
    assert_int_equal(os_socket_recv(pair[1], text, 2, fds, 4, &count), 2);
    assert_int_equal(count, 2);
    assert_true(close_on_exec(fds[0]) && close_on_exec(fds[1]));
    assert_int_equal(os_shm_size(fds[1]), os_shm_size(sent[1]));
    char rest[8];
    assert_int_equal(os_socket_recv(pair[1], rest, 8, fds, 4, &count), 3);
    assert_int_equal(count, 2);
    for (int i = 0; i < 2; i++) {
        close(sent[i]);
        close(fds[i]);
        close(pair[i]);
    }
}

static void a_descriptor_follows_with_a_byte_of_its_own(void **state)
{
    int pair[2], fd = os_shm_create("a", 4096);
    os_socket_pair(pair);
    assert_int_equal(os_socket_send_then_fd(pair[0], "reply", 5, fd), 6);
    char text[8];
    assert_int_equal(read(pair[1], text, 5), 5); // by a reader that knows nothing of descriptors
    int fds[2];
    unsigned count = 0;
    assert_int_equal(os_socket_recv(pair[1], text, sizeof(text), fds, 2, &count), 1);
    assert_int_equal(count, 1);
    close(fds[0]);
    close(pair[1]);
    assert_int_equal(os_socket_send_then_fd(pair[0], "reply", 5, fd), -EPIPE);
    close(pair[0]);
    close(fd);
}

static void a_full_socket_takes_the_descriptor_later(void **state)
{
    int pair[2], fd = os_shm_create("a", 4096);
    static char bytes[300000];
    os_socket_pair(pair);
    os_socket_set_nonblocking(pair[0], true);
    ssize_t sent = os_socket_send_then_fd(pair[0], bytes, sizeof(bytes), fd);
    assert_true(sent > 0 &&
                sent < (ssize_t)sizeof(bytes)); // a cut reply is not followed by the byte
    int fds[2];
    unsigned count = 0;
    ssize_t got = 0;
    while (got < sent)
        got += os_socket_recv(pair[1], bytes, sizeof(bytes), fds, 2, &count);
    assert_int_equal(got, sent);
    assert_int_equal(count, 0);
    close(pair[0]);
    close(pair[1]);
    close(fd);
}

static void surplus_descriptors_are_an_error_and_closed(void **state)
{
    int pair[2], probe = dup(0);
    close(probe);
    os_socket_pair(pair);
    int sent[3] = {0, 0, 0};
    os_socket_send(pair[0], "x", 1, sent, 3);
    char text[4];
    int fds[2];
    unsigned count = 0;
    assert_int_equal(os_socket_recv(pair[1], text, 4, fds, 2, &count), -EMFILE);
    assert_int_equal(count, 0);
    close(pair[0]);
    close(pair[1]);
    assert_int_equal(dup(0), probe); // the lowest number is free again: nothing leaked
    close(probe);
}

// From a peer that is not ours: os_socket_send takes no such number.
static void a_flood_of_descriptors_leaks_none(void **state)
{
    enum { FLOOD = 200 };
    int pair[2], probe = dup(0), sent[FLOOD] = {0};
    close(probe);
    os_socket_pair(pair);
    char byte = 'x';
    union {
        char bytes[CMSG_SPACE(sizeof(sent))];
        struct cmsghdr alignment;
    } control;
    memset(&control, 0, sizeof(control));
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(sent));
    memcpy(CMSG_DATA(cmsg), sent, sizeof(sent));
    assert_int_equal(sendmsg(pair[0], &message, 0), 1);
    int fds[4];
    unsigned count = 0;
    assert_int_equal(os_socket_recv(pair[1], &byte, 1, fds, 4, &count), -EMFILE);
    assert_int_equal(count, 0);
    close(pair[0]);
    close(pair[1]);
    assert_int_equal(dup(0), probe);
    close(probe);
}

static void a_closed_peer_is_an_error_code(void **state)
{
    int pair[2];
    os_socket_pair(pair);
    close(pair[1]);
    assert_int_equal(os_socket_send(pair[0], "x", 1, NULL, 0),
                     -EPIPE); // and no SIGPIPE, which would end us here
    close(pair[0]);
}

static void a_non_blocking_socket_says_again(void **state)
{
    int pair[2];
    os_socket_pair(pair);
    os_socket_set_nonblocking(pair[0], true);
    char byte;
    unsigned count = 0;
    assert_int_equal(os_socket_recv(pair[0], &byte, 1, NULL, 0, &count), -EAGAIN);
    close(pair[1]);
    assert_int_equal(os_socket_recv(pair[0], &byte, 1, NULL, 0, &count), 0);
    close(pair[0]);
}

static char folder[64], path[128];

static int make_folder(void **state)
{
    strcpy(folder, "/tmp/hesper-test-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/socket", folder);
    return 0;
}

static int remove_folder(void **state)
{
    unlink(path);
    rmdir(folder);
    return 0;
}

static void clients_of_this_user_connect(void **state)
{
    int listener = os_socket_listen(path);
    assert_true(listener >= 0);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 077, 0);
    assert_int_equal(os_socket_accept(listener), -EAGAIN);
    int client = os_socket_connect(path);
    assert_true(client >= 0);
    int server = os_socket_accept(listener);
    assert_true(server >= 0);
    assert_true(close_on_exec(server));
    assert_true(fcntl(server, F_GETFL) & O_NONBLOCK);
    os_socket_send(client, "hi", 2, NULL, 0);
    char text[2];
    unsigned count = 0;
    assert_int_equal(os_socket_recv(server, text, 2, NULL, 0, &count), 2);
    close(client);
    close(server);
    close(listener);
}

static void an_occupied_socket_is_left_alone(void **state)
{
    int first = os_socket_listen(path);
    assert_int_equal(os_socket_listen(path), -EADDRINUSE);
    int client = os_socket_connect(path); // the first one still serves
    assert_true(client >= 0);
    close(client);
    close(first);
}

static void a_stale_socket_is_replaced(void **state)
{
    int dead = os_socket_listen(path);
    close(dead);
    int listener = os_socket_listen(path);
    assert_true(listener >= 0);
    close(listener);
}

static void other_files_are_not_removed(void **state)
{
    FILE *file = fopen(path, "w");
    fputs("precious", file);
    fclose(file);
    assert_int_equal(os_socket_listen(path), -EEXIST);
    assert_int_equal(access(path, F_OK), 0);
}

static void impossible_paths_are_named(void **state)
{
    char long_path[300];
    memset(long_path, 'x', sizeof(long_path));
    long_path[0] = '/';
    long_path[299] = 0;
    assert_int_equal(os_socket_listen(long_path), -ENAMETOOLONG);
    memcpy(long_path, "/nowhere/", 9);
    long_path[104] = 0; // a byte more than macOS takes
    assert_int_equal(os_socket_listen(long_path), os_is_portable() ? -ENAMETOOLONG : -ENOENT);
    long_path[103] = 0;
    assert_int_equal(os_socket_listen(long_path), -ENOENT);
    assert_int_equal(os_socket_listen("/nowhere/at/all"), -ENOENT);
    assert_int_equal(os_socket_listen(""), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_travel_with_the_first_byte),
        cmocka_unit_test(a_descriptor_follows_with_a_byte_of_its_own),
        cmocka_unit_test(a_full_socket_takes_the_descriptor_later),
        cmocka_unit_test(surplus_descriptors_are_an_error_and_closed),
        cmocka_unit_test(a_flood_of_descriptors_leaks_none),
        cmocka_unit_test(a_closed_peer_is_an_error_code),
        cmocka_unit_test(a_non_blocking_socket_says_again),
        cmocka_unit_test_setup_teardown(clients_of_this_user_connect, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(an_occupied_socket_is_left_alone, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_stale_socket_is_replaced, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(other_files_are_not_removed, make_folder, remove_folder),
        cmocka_unit_test(impossible_paths_are_named),
    };
    return RUN_IN_BOTH_FLAVOURS(tests);
}

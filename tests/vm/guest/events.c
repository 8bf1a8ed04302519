// In a guest: looks at input devices and records what they say. Linked statically;
// tests/vm/input.py runs it.
//
//   events list                    a line of JSON for each /dev/input/event*
//   events held NAME               a line of JSON: keys that are down, LEDs, the pointer's place
//   events led NAME CODE VALUE     as a keyboard's user switches a LED
#include <fcntl.h>
#include <linux/input.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { DEVICES = 32 };

static int open_event(int index, char name[128])
{
    char path[64];
    snprintf(path, sizeof(path), "/dev/input/event%d", index);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -1;
    memset(name, 0, 128);
    ioctl(fd, EVIOCGNAME(127), name);
    return fd;
}

static int find(const char *wanted)
{
    char name[128];
    for (int i = 0; i < DEVICES; i++) {
        int fd = open_event(i, name);
        if (fd < 0)
            continue;
        if (!strcmp(name, wanted))
            return fd;
        close(fd);
    }
    fprintf(stderr, "events: no device '%s'\n", wanted);
    exit(2);
}

static void print_bits(const char *title, const unsigned char *bits, size_t size)
{
    const char *comma = "";
    printf(", \"%s\": [", title);
    for (size_t code = 0; code < size * 8; code++) {
        if (!(bits[code / 8] >> code % 8 & 1))
            continue;
        printf("%s%zu", comma, code);
        comma = ", ";
    }
    printf("]");
}

static void print_type(int fd, const char *title, unsigned type)
{
    unsigned char bits[96] = {0};
    ioctl(fd, EVIOCGBIT(type, sizeof(bits)), bits);
    print_bits(title, bits, sizeof(bits));
}

static int list(void)
{
    for (int i = 0; i < DEVICES; i++) {
        char name[128], unique[128] = "";
        unsigned char bits[8] = {0};
        struct input_id id = {0};
        int fd = open_event(i, name);
        if (fd < 0)
            continue;
        ioctl(fd, EVIOCGID, &id);
        ioctl(fd, EVIOCGUNIQ(sizeof(unique) - 1), unique);
        printf("{\"name\": \"%s\", \"serial\": \"%s\", \"bus\": %d", name, unique, id.bustype);
        ioctl(fd, EVIOCGPROP(sizeof(bits)), bits);
        print_bits("properties", bits, sizeof(bits));
        print_type(fd, "types", 0);
        print_type(fd, "keys", EV_KEY);
        print_type(fd, "relative", EV_REL);
        print_type(fd, "absolute", EV_ABS);
        print_type(fd, "leds", EV_LED);
        printf(", \"ranges\": {");
        const char *comma = "";
        for (int code = 0; code < ABS_CNT; code++) {
            struct input_absinfo info;
            if (ioctl(fd, EVIOCGABS(code), &info) < 0 || info.minimum == info.maximum)
                continue;
            printf("%s\"%d\": [%d, %d]", comma, code, info.minimum, info.maximum);
            comma = ", ";
        }
        printf("}}\n");
        close(fd);
    }
    return 0;
}

static int held(const char *name)
{
    unsigned char bits[96] = {0};
    struct input_absinfo x = {0}, y = {0};
    int fd = find(name);
    ioctl(fd, EVIOCGABS(ABS_X), &x);
    ioctl(fd, EVIOCGABS(ABS_Y), &y);
    printf("{\"at\": [%d, %d]", x.value, y.value);
    ioctl(fd, EVIOCGKEY(sizeof(bits)), bits);
    print_bits("keys", bits, sizeof(bits));
    memset(bits, 0, sizeof(bits));
    ioctl(fd, EVIOCGLED(sizeof(bits)), bits);
    print_bits("leds", bits, sizeof(bits));
    printf("}\n");
    return 0;
}

static int led(const char *name, const char *code, const char *value)
{
    struct input_event event[2] = {
        {.type = EV_LED, .code = (unsigned short)atoi(code), .value = atoi(value)},
        {.type = EV_SYN}};
    return write(find(name), event, sizeof(event)) == sizeof(event) ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "list"))
        return list();
    if (argc == 3 && !strcmp(argv[1], "held"))
        return held(argv[2]);
    if (argc == 5 && !strcmp(argv[1], "led"))
        return led(argv[2], argv[3], argv[4]);
    fprintf(stderr, "usage: events list | held NAME | led NAME CODE VALUE\n");
    return 2;
}

#include "display/vnc/keys.h"

#include <stddef.h>

// The printable characters of ASCII, from U+0020 on: rows of a US keyboard.
static const struct vnc_key ascii[95] = {
    {57, VNC_SHIFT_ANY},   {2, VNC_SHIFT_DOWN},   {40, VNC_SHIFT_DOWN},  {4, VNC_SHIFT_DOWN},
    {5, VNC_SHIFT_DOWN},   {6, VNC_SHIFT_DOWN},   {8, VNC_SHIFT_DOWN},   {40, VNC_SHIFT_UP},
    {10, VNC_SHIFT_DOWN},  {11, VNC_SHIFT_DOWN},  {9, VNC_SHIFT_DOWN},   {13, VNC_SHIFT_DOWN},
    {51, VNC_SHIFT_UP},    {12, VNC_SHIFT_UP},    {52, VNC_SHIFT_UP},    {53, VNC_SHIFT_UP},
    {11, VNC_SHIFT_UP},    {2, VNC_SHIFT_UP},     {3, VNC_SHIFT_UP},     {4, VNC_SHIFT_UP},
    {5, VNC_SHIFT_UP},     {6, VNC_SHIFT_UP},     {7, VNC_SHIFT_UP},     {8, VNC_SHIFT_UP},
    {9, VNC_SHIFT_UP},     {10, VNC_SHIFT_UP},    {39, VNC_SHIFT_DOWN},  {39, VNC_SHIFT_UP},
    {51, VNC_SHIFT_DOWN},  {13, VNC_SHIFT_UP},    {52, VNC_SHIFT_DOWN},  {53, VNC_SHIFT_DOWN},
    {3, VNC_SHIFT_DOWN},   {30, VNC_SHIFT_UPPER}, {48, VNC_SHIFT_UPPER}, {46, VNC_SHIFT_UPPER},
    {32, VNC_SHIFT_UPPER}, {18, VNC_SHIFT_UPPER}, {33, VNC_SHIFT_UPPER}, {34, VNC_SHIFT_UPPER},
    {35, VNC_SHIFT_UPPER}, {23, VNC_SHIFT_UPPER}, {36, VNC_SHIFT_UPPER}, {37, VNC_SHIFT_UPPER},
    {38, VNC_SHIFT_UPPER}, {50, VNC_SHIFT_UPPER}, {49, VNC_SHIFT_UPPER}, {24, VNC_SHIFT_UPPER},
    {25, VNC_SHIFT_UPPER}, {16, VNC_SHIFT_UPPER}, {19, VNC_SHIFT_UPPER}, {31, VNC_SHIFT_UPPER},
    {20, VNC_SHIFT_UPPER}, {22, VNC_SHIFT_UPPER}, {47, VNC_SHIFT_UPPER}, {17, VNC_SHIFT_UPPER},
    {45, VNC_SHIFT_UPPER}, {21, VNC_SHIFT_UPPER}, {44, VNC_SHIFT_UPPER}, {26, VNC_SHIFT_UP},
    {43, VNC_SHIFT_UP},    {27, VNC_SHIFT_UP},    {7, VNC_SHIFT_DOWN},   {12, VNC_SHIFT_DOWN},
    {41, VNC_SHIFT_UP},    {30, VNC_SHIFT_LOWER}, {48, VNC_SHIFT_LOWER}, {46, VNC_SHIFT_LOWER},
    {32, VNC_SHIFT_LOWER}, {18, VNC_SHIFT_LOWER}, {33, VNC_SHIFT_LOWER}, {34, VNC_SHIFT_LOWER},
    {35, VNC_SHIFT_LOWER}, {23, VNC_SHIFT_LOWER}, {36, VNC_SHIFT_LOWER}, {37, VNC_SHIFT_LOWER},
    {38, VNC_SHIFT_LOWER}, {50, VNC_SHIFT_LOWER}, {49, VNC_SHIFT_LOWER}, {24, VNC_SHIFT_LOWER},
    {25, VNC_SHIFT_LOWER}, {16, VNC_SHIFT_LOWER}, {19, VNC_SHIFT_LOWER}, {31, VNC_SHIFT_LOWER},
    {20, VNC_SHIFT_LOWER}, {22, VNC_SHIFT_LOWER}, {47, VNC_SHIFT_LOWER}, {17, VNC_SHIFT_LOWER},
    {45, VNC_SHIFT_LOWER}, {21, VNC_SHIFT_LOWER}, {44, VNC_SHIFT_LOWER}, {26, VNC_SHIFT_DOWN},
    {43, VNC_SHIFT_DOWN},  {27, VNC_SHIFT_DOWN},  {41, VNC_SHIFT_DOWN},
};

// Keys without a character, ascending by X11's symbol.
static const struct {
    uint16_t symbol, code;
} functions[] = {
    {0xfe20, 15},  // ISO_Left_Tab: Shift and Tab
    {0xff08, 14},  // BackSpace
    {0xff09, 15},  // Tab
    {0xff0a, 28},  // Linefeed
    {0xff0d, 28},  // Return
    {0xff13, 119}, // Pause
    {0xff14, 70},  // Scroll_Lock
    {0xff15, 99},  // Sys_Req
    {0xff1b, 1},   // Escape
    {0xff22, 94},  // Muhenkan
    {0xff23, 92},  // Henkan
    {0xff27, 93},  // Hiragana_Katakana
    {0xff2a, 85},  // Zenkaku_Hankaku
    {0xff31, 122}, // Hangul
    {0xff34, 123}, // Hangul_Hanja
    {0xff50, 102}, // Home
    {0xff51, 105}, // Left
    {0xff52, 103}, // Up
    {0xff53, 106}, // Right
    {0xff54, 108}, // Down
    {0xff55, 104}, // Page_Up
    {0xff56, 109}, // Page_Down
    {0xff57, 107}, // End
    {0xff61, 99},  // Print
    {0xff63, 110}, // Insert
    {0xff67, 127}, // Menu
    {0xff6b, 119}, // Break
    {0xff7f, 69},  // Num_Lock
    {0xff80, 57},  // KP_Space
    {0xff89, 15},  // KP_Tab
    {0xff8d, 96},  // KP_Enter
    // The keypad without Num Lock: the keys that do the same whatever the guest's Num Lock is.
    {0xff95, 102}, // KP_Home
    {0xff96, 105}, // KP_Left
    {0xff97, 103}, // KP_Up
    {0xff98, 106}, // KP_Right
    {0xff99, 108}, // KP_Down
    {0xff9a, 104}, // KP_Page_Up
    {0xff9b, 109}, // KP_Page_Down
    {0xff9c, 107}, // KP_End
    {0xff9d, 76},  // KP_Begin
    {0xff9e, 110}, // KP_Insert
    {0xff9f, 111}, // KP_Delete
    {0xffaa, 55},  // KP_Multiply
    {0xffab, 78},  // KP_Add
    {0xffac, 121}, // KP_Separator
    {0xffad, 74},  // KP_Subtract
    {0xffaf, 98},  // KP_Divide
    {0xffbd, 117}, // KP_Equal
    {0xffbe, 59},  // F1
    {0xffbf, 60},
    {0xffc0, 61},
    {0xffc1, 62},
    {0xffc2, 63},
    {0xffc3, 64},
    {0xffc4, 65},
    {0xffc5, 66},
    {0xffc6, 67},
    {0xffc7, 68}, // F10
    {0xffc8, 87},
    {0xffc9, 88},
    {0xffca, 183}, // F13
    {0xffcb, 184},
    {0xffcc, 185},
    {0xffcd, 186},
    {0xffce, 187},
    {0xffcf, 188},
    {0xffd0, 189},
    {0xffd1, 190},
    {0xffd2, 191},
    {0xffd3, 192},
    {0xffd4, 193},
    {0xffd5, 194}, // F24
    {0xffe1, VNC_KEY_LEFTSHIFT},
    {0xffe2, VNC_KEY_RIGHTSHIFT},
    {0xffe3, VNC_KEY_LEFTCTRL},
    {0xffe4, VNC_KEY_RIGHTCTRL},
    {0xffe5, VNC_KEY_CAPSLOCK},
    {0xffe7, VNC_KEY_LEFTMETA}, // Meta_L
    {0xffe8, VNC_KEY_RIGHTMETA},
    {0xffe9, VNC_KEY_LEFTALT},
    {0xffea, VNC_KEY_RIGHTALT},
    {0xffeb, VNC_KEY_LEFTMETA}, // Super_L
    {0xffec, VNC_KEY_RIGHTMETA},
    {0xffff, 111}, // Delete
};

// Digits and the point of the keypad, from KP_0 on: with Num Lock and without.
static const uint8_t keypad[10] = {82, 79, 80, 81, 75, 76, 77, 71, 72, 73};

// What a US keyboard has in place of punctuation that it lacks, ascending.
static const struct {
    uint16_t character;
    char ascii;
} stand_ins[] = {
    {0x00a0, ' '}, {0x00a8, '"'},  {0x00ab, '<'},  {0x00ad, '-'},  {0x00b4, '\''}, {0x00b7, '.'},
    {0x00bb, '>'}, {0x00d7, '*'},  {0x00f7, '/'},  {0x02c6, '^'},  {0x02dc, '~'},  {0x2010, '-'},
    {0x2013, '-'}, {0x2014, '-'},  {0x2018, '\''}, {0x2019, '\''}, {0x201c, '"'},  {0x201d, '"'},
    {0x2022, '*'}, {0x2032, '\''}, {0x2033, '"'},  {0x2044, '/'},  {0x2212, '-'},
};

// Dead keys and X11's own numbers of characters, ascending.
static const struct {
    uint16_t symbol;
    char ascii;
} legacy[] = {
    {0x0aa9, '-'}, {0x0aaa, '-'},  {0x0ad0, '\''}, {0x0ad1, '\''}, {0x0ad2, '"'}, {0x0ad3, '"'},
    {0xfe50, '`'}, {0xfe51, '\''}, {0xfe52, '^'},  {0xfe53, '~'},  {0xfe57, '"'},
};

static bool of_ascii(uint32_t character, struct vnc_key *key)
{
    if (character < 0x20 || character > 0x7e)
        return false;
    *key = ascii[character - 0x20];
    return true;
}

static bool of_character(uint32_t character, struct vnc_key *key)
{
    for (size_t i = 0; i < sizeof(stand_ins) / sizeof(*stand_ins); i++)
        if (stand_ins[i].character == character)
            return of_ascii((uint32_t)stand_ins[i].ascii, key);
    return of_ascii(character, key);
}

bool vnc_key_of_symbol(uint32_t symbol, bool num_lock, struct vnc_key *key)
{
    if (symbol < 0x100)
        return of_character(symbol, key); // Latin 1
    if (symbol >= 0x1000000 && symbol <= 0x110ffff)
        return of_character(symbol - 0x1000000, key);
    if (symbol > 0xffff)
        return false;
    if (symbol >= 0xffb0 && symbol <= 0xffb9) {
        if (!num_lock)
            return of_ascii('0' + symbol - 0xffb0, key);
        *key = (struct vnc_key){keypad[symbol - 0xffb0], VNC_SHIFT_ANY};
        return true;
    }
    if (symbol == 0xffae) { // KP_Decimal
        *key = num_lock ? (struct vnc_key){83, VNC_SHIFT_ANY} : (struct vnc_key){52, VNC_SHIFT_UP};
        return true;
    }
    for (size_t i = 0; i < sizeof(legacy) / sizeof(*legacy); i++)
        if (legacy[i].symbol == symbol)
            return of_ascii((uint32_t)legacy[i].ascii, key);
    size_t first = 0, last = sizeof(functions) / sizeof(*functions);
    while (first < last) {
        size_t middle = (first + last) / 2;
        if (functions[middle].symbol == symbol) {
            *key = (struct vnc_key){functions[middle].code,
                                    symbol == 0xfe20 ? VNC_SHIFT_DOWN : VNC_SHIFT_ANY};
            return true;
        }
        if (functions[middle].symbol < symbol)
            first = middle + 1;
        else
            last = middle;
    }
    return false;
}

uint16_t vnc_key_of_scancode(uint32_t scancode)
{
    // Where evdev's codes, which began as these, are others.
    static const uint8_t others[256] = {
        [0x54] = 99,  [0x59] = 117, [0x70] = 93,  [0x71] = 123, [0x72] = 122, [0x73] = 89,
        [0x76] = 85,  [0x79] = 92,  [0x7b] = 94,  [0x7d] = 124, [0x7e] = 121, [0x90] = 165,
        [0x99] = 163, [0x9c] = 96,  [0x9d] = 97,  [0xa0] = 113, [0xa2] = 164, [0xa4] = 166,
        [0xae] = 114, [0xb0] = 115, [0xb5] = 98,  [0xb7] = 99,  [0xb8] = 100, [0xc6] = 119,
        [0xc7] = 102, [0xc8] = 103, [0xc9] = 104, [0xcb] = 105, [0xcd] = 106, [0xcf] = 107,
        [0xd0] = 108, [0xd1] = 109, [0xd2] = 110, [0xd3] = 111, [0xdb] = 125, [0xdc] = 126,
        [0xdd] = 127, [0xde] = 116, [0xdf] = 142, [0xe3] = 143,
    };
    if (scancode >= 256)
        return 0;
    if ((scancode >= 1 && scancode <= 0x53) || (scancode >= 0x56 && scancode <= 0x58))
        return (uint16_t)scancode;
    return others[scancode];
}

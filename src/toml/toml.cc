// hesper-toml FILE: what a machine's file says, for hesper run. A value is a line, "LINE TYPE KEY VALUE"; a value in a
// list has "list-" before its type. What is wrong with the file is a line of type "error". Exit status: 0, or 1 after
// an error.
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include <toml++/toml.h>

namespace
{

bool failed;

void print(const toml::source_region &where, const char *type, std::string_view key, std::string_view value)
{
    std::printf("%u %s %.*s %.*s\n", unsigned(where.begin.line), type, int(key.size()), key.data(), int(value.size()),
                value.data());
}

void complain(const toml::source_region &where, std::string_view key, std::string text)
{
    for (char &c : text)
        if (static_cast<unsigned char>(c) < 0x20)
            c = ' ';
    print(where, "error", key, text);
    failed = true;
}

bool is_plain(std::string_view text)
{
    return !text.empty() && text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
                                std::string_view::npos;
}

void print_value(std::string_view key, const toml::node &node, bool in_list)
{
    const std::string list = in_list ? "list-" : "";
    if (const auto *text = node.as_string()) {
        const std::string &value = text->get();
        for (unsigned char c : value)
            if (c < 0x20 || c == 0x7f)
                return complain(node.source(), key, "there is a control character, such as a line's end, in its value");
        print(node.source(), (list + "string").c_str(), key, value);
    } else if (const auto *number = node.as_integer()) {
        print(node.source(), (list + "integer").c_str(), key, std::to_string(number->get()));
    } else if (const auto *flag = node.as_boolean()) {
        print(node.source(), (list + "boolean").c_str(), key, flag->get() ? "true" : "false");
    } else {
        print(node.source(), node.is_table() ? "table" : in_list || !node.is_floating_point() ? "thing" : "fraction", key, "");
    }
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 2 || !std::strncmp(argv[1], "--", 2)) {
        std::fputs("usage: hesper-toml FILE\n\nReads a machine's file for hesper run.\n", argc == 2 ? stdout : stderr);
        return argc == 2 ? 0 : 2;
    }
    try {
        const toml::table table = toml::parse_file(argv[1]);
        for (const auto &[key, node] : table) {
            if (!is_plain(key.str()))
                complain(key.source(), "-", "'" + std::string(key.str()) + "' is no key");
            else if (const auto *list = node.as_array())
                for (const toml::node &item : *list)
                    print_value(key.str(), item, true);
            else
                print_value(key.str(), node, false);
        }
    } catch (const toml::parse_error &error) {
        complain(error.source(), "-", std::string(error.description()));
    }
    return failed;
}

#include "venus/discovery.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "os/os.h"
#include "os/places.h"

#define MAX_MANIFEST (64 << 10)

// ---- one manifest ---------------------------------------------------------

static bool read_all(const char *path, char *text, size_t *length, const char **why)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        *why = strerror(errno);
        return false;
    }
    *length = fread(text, 1, MAX_MANIFEST, file);
    *why = ferror(file) ? strerror(errno) : *length == MAX_MANIFEST ? "it is too long" : NULL;
    fclose(file);
    return !*why;
}

// A library's path is relative to its manifest; a mere name is for the dynamic linker.
static bool resolve(const char *manifest, const char *library, char *path)
{
    const char *slash = strrchr(manifest, '/');
    int length =
        library[0] == '/' || !strchr(library, '/') || !slash
            ? snprintf(path, VENUS_PATH, "%s", library)
            : snprintf(path, VENUS_PATH, "%.*s/%s", (int)(slash - manifest), manifest, library);
    return length < VENUS_PATH;
}

bool venus_manifest_read(const char *path, char *library, char *broken, size_t broken_size)
{
    char *text = malloc(MAX_MANIFEST), named[VENUS_PATH];
    size_t length;
    struct json root, icd, value;
    const char *why = "out of memory";
    library[0] = 0;
    if (text && read_all(path, text, &length, &why)) {
        why = NULL;
        if (!json_parse(text, length, &root))
            why = "it is not JSON";
        else if (!json_member(root, "ICD", &icd) || !json_member(icd, "library_path", &value) ||
                 !json_copy(value, named, sizeof(named)) || !named[0])
            why = "it names no library (ICD.library_path)";
        else if (!resolve(path, named, library))
            why = "its library's path is too long";
        else if (strchr(library, '/') && access(library, R_OK) < 0) {
            snprintf(broken, broken_size, "its library %.100s: %s", library, strerror(errno));
            free(text);
            return false;
        }
    }
    free(text);
    snprintf(broken, broken_size, "%s", why ? why : "");
    return !why;
}

// ---- the list -------------------------------------------------------------

static bool is_software(const char *path)
{
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    return !strncmp(name, "lvp_", 4) || strstr(name, "lavapipe") || strstr(name, "vulkan_lvp");
}

static bool same_file(const char *a, const char *b)
{
    char *real_a = realpath(a, NULL), *real_b = realpath(b, NULL);
    bool same = real_a && real_b ? !strcmp(real_a, real_b) : !strcmp(a, b);
    free(real_a);
    free(real_b);
    return same;
}

static struct venus_candidate *add(struct venus_candidates *list, const char *kind,
                                   const char *path)
{
    if (list->count == VENUS_MAX_CANDIDATES || strchr(path, ':') ||
        strlen(kind) + strlen(path) >= VENUS_PATH)
        return NULL;
    for (unsigned i = 0; i < list->count; i++) {
        const struct venus_candidate *other = &list->items[i];
        if (same_file(strchr(other->name, ':') + 1, path) ||
            (other->library[0] && same_file(other->library, path)))
            return NULL;
    }
    struct venus_candidate *candidate = &list->items[list->count++];
    *candidate = (struct venus_candidate){.software = is_software(path)};
    snprintf(candidate->name, sizeof(candidate->name), "%s%s", kind, path);
    return candidate;
}

static void add_manifest(struct venus_candidates *list, const char *path, bool chosen)
{
    struct venus_candidate *candidate = add(list, "manifest:", path);
    if (!candidate)
        return;
    candidate->chosen = chosen;
    venus_manifest_read(path, candidate->library, candidate->broken, sizeof(candidate->broken));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_manifest(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 5 && !strcmp(entry->d_name + length - 5, ".json");
}

static void add_folder(struct venus_candidates *list, const char *folder, bool chosen)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_manifest, by_name);
    for (int i = 0; i < count; i++) {
        char path[VENUS_PATH];
        if (snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name) < VENUS_PATH)
            add_manifest(list, path, chosen);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

// The environment names files, and maybe folders.
static bool add_chosen(struct venus_candidates *list, const char *variable)
{
    const char *value = getenv(variable);
    for (const char *at = value; at && *at;) {
        size_t length = strcspn(at, ":");
        char path[VENUS_PATH];
        if (length && length < sizeof(path)) {
            snprintf(path, sizeof(path), "%.*s", (int)length, at);
            if (strlen(path) > 5 && !strcmp(path + strlen(path) - 5, ".json"))
                add_manifest(list, path, true);
            else
                add_folder(list, path, true);
        }
        at += length + (at[length] == ':');
    }
    return value && *value;
}

typedef void (*folder_visit)(struct venus_candidates *list, const char *folder);

static void visit(struct venus_candidates *list, const struct os_place *place, folder_visit visit)
{
    const char *value = place->variable ? getenv(place->variable) : NULL;
    const char *at = value && *value ? value : place->otherwise;
    char self[VENUS_PATH] = "";
    if (!os_self_path(self, sizeof(self)) && strrchr(self, '/'))
        *strrchr(self, '/') = 0;
    while (at && *at) {
        size_t length = strcspn(at, ":");
        const char *home = at[0] == '~' ? getenv("HOME") : at[0] == '@' ? self : "";
        unsigned skip = at[0] == '~' || at[0] == '@';
        char folder[VENUS_PATH];
        if (home && (*home || !skip) && length &&
            snprintf(folder, sizeof(folder), "%s%.*s%s", home, (int)length - (int)skip, at + skip,
                     place->below) < VENUS_PATH)
            visit(list, folder);
        at += length + (at[length] == ':');
    }
}

static void visit_manifests(struct venus_candidates *list, const char *folder)
{
    add_folder(list, folder, false);
}

static void visit_libraries(struct venus_candidates *list, const char *folder)
{
    for (const char *const *name = os_driver_names(); *name; name++) {
        char path[VENUS_PATH];
        if (snprintf(path, sizeof(path), "%s/%s", folder, *name) < VENUS_PATH &&
            access(path, R_OK) == 0)
            add(list, "library:", path);
    }
}

// A guest's own driver would come back to us.
static bool is_venus(const struct venus_candidate *candidate)
{
    return strstr(candidate->library, "vulkan_virtio") != NULL;
}

struct venus_candidates *venus_candidates_find(void)
{
    struct venus_candidates *found = calloc(1, sizeof(*found));
    struct venus_candidates *sorted = calloc(1, sizeof(*sorted));
    if (!found || !sorted) {
        free(found);
        free(sorted);
        return NULL;
    }
    // The newer variable hides the older one.
    if (!add_chosen(found, "VK_DRIVER_FILES"))
        add_chosen(found, "VK_ICD_FILENAMES");
    for (const struct os_place *place = os_manifest_places(); place->below; place++)
        visit(found, place, visit_manifests);
    for (const struct os_place *place = os_driver_places(); place->below; place++)
        visit(found, place, visit_libraries);
    for (int pass = 0; pass < 3; pass++) { // chosen, hardware, lavapipe
        for (unsigned i = 0; i < found->count; i++) {
            const struct venus_candidate *item = &found->items[i];
            int rank = item->chosen ? 0 : item->software ? 2 : 1;
            if (rank == pass && (item->chosen || !is_venus(item)))
                sorted->items[sorted->count++] = *item;
        }
    }
    free(found);
    return sorted;
}

// ---- whose they are -------------------------------------------------------

static bool is_mesas(const char *library)
{
    static const char *const names[] = {
        "asahi", "broadcom", "dzn",      "freedreno",    "gfxstream", "intel",  "intel_hasvk",
        "lvp",   "nouveau",  "panfrost", "powervr_mesa", "radeon",    "virtio", "kosmickrisp",
    };
    static const char prefix[] = "libvulkan_";
    const char *name = strrchr(library, '/');
    name = name ? name + 1 : library;
    if (strncmp(name, prefix, strlen(prefix)))
        return false;
    name += strlen(prefix);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strncmp(name, names[i], strlen(names[i])) && name[strlen(names[i])] == '.')
            return true;
    return false;
}

// ---- what a driver's name means -------------------------------------------

// `manifest` is NULL if there is none, `library` empty if it names none. False ends the visits.
typedef bool (*driver_visit)(void *data, const char *manifest, const char *library);

static bool visit_list(const char *manifests, driver_visit visit, void *data)
{
    for (const char *at = manifests; *at;) {
        size_t length = strcspn(at, ":");
        char path[VENUS_PATH], library[VENUS_PATH], broken[160];
        if (length >= sizeof(path))
            return false;
        snprintf(path, sizeof(path), "%.*s", (int)length, at);
        venus_manifest_read(path, library, broken, sizeof(broken));
        if (!visit(data, path, library))
            return false;
        at += length + (at[length] == ':');
    }
    return true;
}

static bool visit_drivers(const char *driver, driver_visit visit, void *data)
{
    if (!strncmp(driver, "library:", 8))
        return visit(data, NULL, driver + 8);
    if (!strncmp(driver, "manifest:", 9))
        return visit_list(driver + 9, visit, data);
    struct venus_candidates *found = venus_candidates_find();
    bool chosen = found && found->count && found->items[0].chosen; // then the loader has no others
    bool good = found && found->count;
    for (unsigned i = 0; good && i < found->count; i++) {
        const struct venus_candidate *candidate = &found->items[i];
        if (!candidate->broken[0] && candidate->chosen == chosen)
            good = visit(data, strchr(candidate->name, ':') + 1, candidate->library);
    }
    free(found);
    return good;
}

static bool visit_mesas(void *data, const char *manifest, const char *library)
{
    return is_mesas(library);
}

bool venus_drivers_are_mesas(const char *driver)
{
    return !getenv("VK_ADD_DRIVER_FILES") && visit_drivers(driver, visit_mesas, NULL);
}

static bool add_files(void *data, const char *manifest, const char *library)
{
    struct venus_driver_files *files = data;
    const char *const paths[] = {manifest, strchr(library, '/') ? library : NULL};
    for (unsigned i = 0; i < 2; i++)
        if (paths[i] && files->count < VENUS_MAX_DRIVER_FILES &&
            (files->items[files->count] = strdup(paths[i])))
            files->count++;
    return true;
}

void venus_driver_files_find(const char *driver, struct venus_driver_files *files)
{
    *files = (struct venus_driver_files){0};
    visit_drivers(driver, add_files, files);
}

void venus_driver_files_forget(struct venus_driver_files *files)
{
    while (files->count)
        free(files->items[--files->count]);
}

// A window's pictures by SDL's renderer: where there is no Vulkan. The CPU copies them.
#include <stdlib.h>

#include "base/log.h"
#include "display/window/present.h"
#include "os/clock.h"

struct software {
    struct window_presenter base;
    struct window_present_settings settings;
    SDL_Renderer *renderer;
    SDL_Texture *texture;   // what was shown last
    uint32_t width, height; // the texture's
    bool ours;              // the texture is a notice
    uint8_t *pixels;        // for one frame
    size_t size;
    uint32_t window_width, window_height; // pixels
    struct window_pace pace;
    uint64_t period_ns;
    SDL_TimerID timer; // runs until the frame may count as shown
};

static struct software *of(struct window_presenter *base)
{
    return (struct software *)base;
}

static void draw(struct software *s)
{
    struct window_layout at;
    SDL_SetRenderDrawColor(s->renderer, 0, 0, 0, 255);
    SDL_RenderClear(s->renderer);
    if (s->texture && window_layout(s->settings.scale, s->width, s->height, s->window_width,
                                    s->window_height, &at)) {
        SDL_Rect from = {at.source.x, at.source.y, at.source.width, at.source.height};
        SDL_Rect to = {at.target.x, at.target.y, at.target.width, at.target.height};
        SDL_RenderCopy(s->renderer, s->texture, &from, &to);
    }
    SDL_RenderPresent(s->renderer);
}

// A texture for a picture of that size, or NULL.
static SDL_Texture *prepare(struct software *s, uint32_t width, uint32_t height, bool ours)
{
    if (s->texture && s->width == width && s->height == height && s->ours == ours)
        return s->texture;
    if (s->texture)
        SDL_DestroyTexture(s->texture);
    s->texture =
        SDL_CreateTexture(s->renderer, ours ? SDL_PIXELFORMAT_RGBA32 : SDL_PIXELFORMAT_BGRA32,
                          SDL_TEXTUREACCESS_STATIC, (int)width, (int)height);
    if (s->texture)
        SDL_SetTextureBlendMode(s->texture, SDL_BLENDMODE_NONE);
    else
        log_warning("no picture of %ux%u: %s", width, height, SDL_GetError());
    s->width = width;
    s->height = height;
    s->ours = ours;
    return s->texture;
}

static void copy(struct software *s, const struct display_output *output,
                 const struct picture_rect *damage)
{
    bool same = s->texture && !s->ours && s->width == output->width && s->height == output->height;
    struct picture_rect all = {.width = output->width, .height = output->height};
    struct picture_rect part = same ? *damage : all;
    size_t row = (size_t)part.width * 4, size = row * part.height;
    if (!size || !prepare(s, output->width, output->height, false))
        return;
    if (size > s->size) {
        free(s->pixels);
        s->pixels = malloc(size);
        s->size = s->pixels ? size : 0;
    }
    if (!s->pixels || !display_read(s->settings.display, s->settings.output, &part,
                                    PICTURE_ORDER_BGRA, s->pixels, row))
        return;
    SDL_Rect to = {part.x, part.y, part.width, part.height};
    SDL_UpdateTexture(s->texture, &to, s->pixels, (int)row);
    display_count(s->settings.display, 0, size);
}

static Uint32 on_timer(Uint32 interval, void *data)
{
    struct software *s = data;
    window_event_push(s->settings.event, WINDOW_EVENT_SHOWN, s->settings.output, s->settings.wake);
    return 0; // once
}

static void show_frame(struct window_presenter *base, const struct picture_rect *damage)
{
    struct software *s = of(base);
    const struct display_output *output = display_output(s->settings.display, s->settings.output);
    if (output->file && output->width && output->height)
        copy(s, output, damage);
    draw(s);
    uint64_t now = os_now_ns();
    uint64_t at = window_pace_next(&s->pace, now, s->period_ns);
    Uint32 ms = (Uint32)((at - now + 999999) / 1000000);
    SDL_RemoveTimer(s->timer);
    s->timer = ms ? SDL_AddTimer(ms, on_timer, s) : 0;
    if (!s->timer)
        window_event_push(s->settings.event, WINDOW_EVENT_SHOWN, s->settings.output,
                          s->settings.wake);
}

static void show_notice(struct window_presenter *base, uint8_t *rgba, uint32_t width,
                        uint32_t height)
{
    struct software *s = of(base);
    if (prepare(s, width, height, true))
        SDL_UpdateTexture(s->texture, NULL, rgba, (int)width * 4);
    free(rgba);
    draw(s);
}

static void resize(struct window_presenter *base, uint32_t width, uint32_t height,
                   uint64_t period_ns)
{
    struct software *s = of(base);
    s->window_width = width;
    s->window_height = height;
    s->period_ns = period_ns;
    draw(s);
}

static void destroy(struct window_presenter *base)
{
    struct software *s = of(base);
    SDL_RemoveTimer(s->timer);
    if (s->texture)
        SDL_DestroyTexture(s->texture);
    SDL_DestroyRenderer(s->renderer);
    free(s->pixels);
    free(s);
}

static const struct window_presenter_ops ops = {
    .frame = show_frame,
    .notice = show_notice,
    .resize = resize,
    .destroy = destroy,
};

struct window_presenter *window_software_create(const struct window_present_settings *settings)
{
    struct software *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->base.ops = &ops;
    s->settings = *settings;
    SDL_SetHint(SDL_HINT_RENDER_SCALE_QUALITY,
                settings->scale == WINDOW_SCALE_WHOLE ? "nearest" : "linear");
    s->renderer = SDL_CreateRenderer(settings->window, -1, 0);
    if (!s->renderer) {
        log_error("cannot draw in a window: %s", SDL_GetError());
        free(s);
        return NULL;
    }
    return &s->base;
}

#include "display/window/present.h"

// A screen that does hold frames back (FIFO) is a little slower than this, and then nothing is ever
// added; a frame that came late may be followed by one that comes early.
uint64_t window_pace_next(struct window_pace *pace, uint64_t now_ns, uint64_t period_ns)
{
    uint64_t step = period_ns - period_ns / 50;
    uint64_t earliest = now_ns > period_ns ? now_ns - period_ns : 0;
    if (pace->next_ns < earliest)
        pace->next_ns = earliest;
    uint64_t at = pace->next_ns > now_ns ? pace->next_ns : now_ns;
    pace->next_ns += step;
    return at;
}

void window_event_push(Uint32 type, enum window_event event, uint32_t output,
                       const struct os_notifier *wake)
{
    SDL_Event e;
    SDL_zero(e);
    e.type = type;
    e.user.code = event;
    e.user.data1 = (void *)(uintptr_t)output;
    while (SDL_PushEvent(&e) < 0) // the queue is full of input
        SDL_Delay(1);
    os_notifier_signal(wake);
}

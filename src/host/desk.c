/* src/host/desk.c - a remote desktop session: input, options, displays */
#include "base/clock.h"
#include "host/audio/audio.h"
#include "host/clipboard/cliprdr.h"
#include "host/clipboard/xclip.h"
#include "host/focus.h"
#include "host/lock.h"
#include "host/screenshot.h"
#include "host/session.h"
#include <string.h>

#define OWN_MOVE_US (300 * PX_US_PER_MS)

bool px_desk_may_input(const struct px_session *s) {
    return s->host->config->permissions.keyboard && !s->options.no_input && s->host->input_ready;
}

static bool wants_cursor(const struct px_session *s) {
    return (s->host->config->permissions.keyboard && !s->options.no_input) ||
           s->options.show_cursor;
}

void px_desk_send_cursor(struct px_session *s) {
    const struct px_cursor *c = &s->host->cursor;
    if (!c->id || c->id == s->cursor_shown || !wants_cursor(s))
        return;
    s->cursor_shown = c->id;
    for (unsigned i = 0; i < PX_KNOWN_CURSORS; i++)
        if (s->cursors[i] == c->id) {
            Pxs__Message m = PXS__MESSAGE__INIT;
            m.item_case = PXS__MESSAGE__ITEM_CURSOR_ID;
            m.cursor_id = c->id;
            px_session_send(s, &m);
            return;
        }
    s->cursors[s->n_cursors++ % PX_KNOWN_CURSORS] = c->id;
    px_conn_send(s->conn, c->body.data, c->body.size);
}

/* The client shows the display that has @x, @y. */
static void follow(struct px_session *s, int x, int y) {
    const int at = px_displays_at(&s->host->displays, x, y);
    if (at == s->followed)
        return;
    s->followed = at;
    Pxs__Misc misc = PXS__MISC__INIT;
    misc.item_case = PXS__MISC__ITEM_FOLLOW_CURRENT_DISPLAY;
    misc.follow_current_display = at;
    px_session_send_misc(s, &misc);
}

void px_desk_send_pointer(struct px_session *s) {
    const struct px_host *h = s->host;
    if (s->options.follow_cursor)
        follow(s, h->pointer_x, h->pointer_y);
    if (!s->options.show_cursor && !s->options.follow_cursor)
        return;
    if (h->last_mover == s && px_now_us() - h->last_move_us < OWN_MOVE_US)
        return;
    Pxs__CursorPosition p = PXS__CURSOR_POSITION__INIT;
    p.x = h->pointer_x;
    p.y = h->pointer_y;
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_CURSOR_POSITION;
    m.cursor_position = &p;
    px_session_send(s, &m);
}

void px_desk_focus_changed(struct px_host *h) {
    int x, y;
    bool wanted = false;
    for (const struct px_session *s = h->sessions; s; s = s->next)
        wanted |= px_session_is_desktop(s) && s->options.follow_window;
    if (!wanted || !h->x || h->displays.n < 2 || !px_focus_where(h->x, &x, &y))
        return;
    for (struct px_session *s = h->sessions; s; s = s->next)
        if (px_session_is_desktop(s) && s->options.follow_window)
            follow(s, x, y);
}

static void set_audio(struct px_session *s) {
    const bool on = s->host->audio && s->host->config->permissions.audio && !s->options.no_audio;
    if (on == s->audio_on)
        return;
    s->audio_on = on;
    if (on)
        px_audio_send_format(s);
    if (s->host->audio)
        px_audio_update(s->host->audio);
}

void px_desk_start(struct px_session *s) {
    set_audio(s);
    px_desk_send_cursor(s);
    px_login_send_displays(s);
    px_viewer_join(s);
    px_host_watch_pointer(s->host);
    if (s->options.follow_window)
        px_desk_focus_changed(s->host);
    if (s->options.lock_at_end)
        px_lock_check(s);
}

static bool last_desktop(const struct px_session *leaving) {
    for (const struct px_session *s = leaving->host->sessions; s; s = s->next)
        if (s != leaving && px_session_is_desktop(s))
            return false;
    return true;
}

void px_desk_stop(struct px_session *s) {
    struct px_host *h = s->host;
    px_viewer_leave(s);
    if (s->kind != PX_KIND_DESKTOP || s->state != PX_SESSION_ACTIVE)
        return;
    if (px_held_any(&s->held) && h->input_ready)
        px_keyboard_release(&h->keyboard, &s->held);
    px_screenshot_forget(s);
    px_mark_remove(s);
    px_xclip_left(h->clip, s);
    s->audio_on = false;
    if (h->audio)
        px_audio_update(h->audio);
    px_lock_left(s, last_desktop(s));
    if (last_desktop(s))
        px_desk_restore_resolution(h);
}

void px_desk_options(struct px_session *s, const Pxs__OptionMessage *m) {
    const bool followed = s->options.follow_window;
    px_options_merge(&s->options, m);
    if (s->options.no_input && px_held_any(&s->held) && s->host->input_ready)
        px_keyboard_release(&s->host->keyboard, &s->held);
    if (!s->options.no_input || !s->options.show_mine)
        px_mark_remove(s);
    set_audio(s);
    px_desk_send_cursor(s);
    px_viewer_join(s);
    px_host_watch_pointer(s->host);
    if (s->options.follow_window && !followed)
        px_desk_focus_changed(s->host); /* where it is already */
    if (m->lock_after_session_end == PX_OPTION_YES)
        px_lock_check(s);
    if (m->block_input == PX_OPTION_YES || m->block_input == PX_OPTION_NO) {
        Pxs__BackNotification n = PXS__BACK_NOTIFICATION__INIT;
        n.state_case = PXS__BACK_NOTIFICATION__STATE_BLOCK_INPUT_STATE;
        n.block_input_state = m->block_input == PX_OPTION_YES ? 3 : 4; /* failed; off */
        Pxs__Misc misc = PXS__MISC__INIT;
        misc.item_case = PXS__MISC__ITEM_BACK_NOTIFICATION;
        misc.back_notification = &n;
        px_session_send_misc(s, &misc);
    }
}

void px_desk_permissions_changed(struct px_session *s) {
    struct px_host *h = s->host;
    if (!h->config->permissions.keyboard && px_held_any(&s->held) && h->input_ready)
        px_keyboard_release(&h->keyboard, &s->held);
    if (!px_cliprdr_takes(s))
        px_xclip_left(h->clip, s); /* what it promised is not fetched any more */
    set_audio(s);
    px_desk_send_cursor(s);
}

static void toggle_privacy(struct px_session *s, const Pxs__TogglePrivacyMode *t) {
    Pxs__BackNotification n = PXS__BACK_NOTIFICATION__INIT;
    n.state_case = PXS__BACK_NOTIFICATION__STATE_PRIVACY_MODE_STATE;
    n.privacy_mode_state = t->on ? 3 : 8; /* not supported; off */
    n.impl_key = t->impl_key;
    Pxs__Misc misc = PXS__MISC__INIT;
    misc.item_case = PXS__MISC__ITEM_BACK_NOTIFICATION;
    misc.back_notification = &n;
    px_session_send_misc(s, &misc);
}

/* Nobody sits here who could read it: the person hears that, once. */
static void answer_chat(struct px_session *s) {
    static const char nobody[] =
        "This desktop has nobody in front of it: messages are not shown here.";
    Pxs__ChatMessage c = PXS__CHAT_MESSAGE__INIT;
    Pxs__Misc misc = PXS__MISC__INIT;
    if (s->chat_answered)
        return;
    s->chat_answered = true;
    c.text = (ProtobufCBinaryData){sizeof(nobody) - 1, (uint8_t *)nobody};
    misc.item_case = PXS__MISC__ITEM_CHAT_MESSAGE;
    misc.chat_message = &c;
    px_session_send_misc(s, &misc);
}

static void take_misc(struct px_session *s, const Pxs__Misc *m) {
    switch (m->item_case) {
    case PXS__MISC__ITEM_OPTION:
        px_desk_options(s, m->option);
        break;
    case PXS__MISC__ITEM_REFRESH_VIDEO:
        px_viewer_refresh(s, -1);
        break;
    case PXS__MISC__ITEM_REFRESH_VIDEO_DISPLAY:
        px_viewer_refresh(s, m->refresh_video_display);
        break;
    case PXS__MISC__ITEM_VIDEO_RECEIVED:
        px_viewer_acked(s);
        break;
    case PXS__MISC__ITEM_SWITCH_DISPLAY:
        px_desk_switch_display(s, m->switch_display);
        break;
    case PXS__MISC__ITEM_CAPTURE_DISPLAYS:
        px_desk_capture(s, m->capture_displays);
        break;
    case PXS__MISC__ITEM_MESSAGE_QUERY:
        if (m->message_query->query_case == PXS__MESSAGE_QUERY__QUERY_SWITCH_DISPLAY)
            px_desk_send_switch_display(s, m->message_query->switch_display);
        break;
    case PXS__MISC__ITEM_CHANGE_RESOLUTION:
        px_desk_change_resolution(s, s->shown, m->change_resolution);
        break;
    case PXS__MISC__ITEM_CHANGE_DISPLAY_RESOLUTION:
        px_desk_change_resolution(s, m->change_display_resolution->display,
                                  m->change_display_resolution->resolution);
        break;
    case PXS__MISC__ITEM_TOGGLE_PRIVACY_MODE:
        toggle_privacy(s, m->toggle_privacy_mode);
        break;
    case PXS__MISC__ITEM_CLIENT_RECORD_STATUS:
        s->options.recording = m->client_record_status;
        px_viewer_join(s);
        px_viewer_refresh(s, -1);
        break;
    case PXS__MISC__ITEM_AUTO_ADJUST_FPS:
        if (m->auto_adjust_fps > 0 && m->auto_adjust_fps <= 120) {
            s->options.fps = m->auto_adjust_fps;
            px_viewer_join(s);
        }
        break;
    case PXS__MISC__ITEM_CHAT_MESSAGE:
        answer_chat(s);
        break;
    default: /* what a Linux desktop has nothing to say to */
        break;
    }
}

static void decline_call(struct px_session *s, const Pxs__VoiceCallRequest *r) {
    if (!r->is_connect)
        return;
    Pxs__VoiceCallResponse a = PXS__VOICE_CALL_RESPONSE__INIT;
    a.req_timestamp = r->req_timestamp;
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_VOICE_CALL_RESPONSE;
    m.voice_call_response = &a;
    px_session_send(s, &m);
}

static void take_mouse(struct px_session *s, const Pxs__MouseEvent *e) {
    struct px_host *h = s->host;
    if (s->options.no_input && s->options.show_mine && (e->mask & 7) == PX_MOUSE_MOVE)
        px_mark_move(s, e->x, e->y);
    if (!px_desk_may_input(s))
        return;
    if ((e->mask & 7) == PX_MOUSE_MOVE || (e->mask & 7) == PX_MOUSE_RELATIVE) {
        h->last_mover = s;
        h->last_move_us = px_now_us();
    }
    px_viewer_input(h);
    px_keyboard_mouse(&h->keyboard, &s->held, e);
}

/* Most are keys of a keyboard; this one is not. */
static void take_key(struct px_session *s, const Pxs__KeyEvent *e) {
    const bool lock =
        e->key_case == PXS__KEY_EVENT__KEY_CONTROL_KEY && e->control_key == PX_KEY_LOCK_SCREEN;
    if (lock && (e->down || e->press))
        px_lock_now(s);
    else if (!lock && px_desk_may_input(s)) {
        px_viewer_input(s->host);
        px_keyboard_key(&s->host->keyboard, &s->held, e);
    }
}

void px_desk_message(struct px_session *s, const Pxs__Message *m) {
    struct px_host *h = s->host;
    switch (m->item_case) {
    case PXS__MESSAGE__ITEM_MOUSE_EVENT:
        take_mouse(s, m->mouse_event);
        break;
    case PXS__MESSAGE__ITEM_KEY_EVENT:
        take_key(s, m->key_event);
        break;
    case PXS__MESSAGE__ITEM_POINTER_DEVICE_EVENT:
        if (px_desk_may_input(s))
            px_keyboard_touch(&h->keyboard, &s->held, m->pointer_device_event);
        break;
    case PXS__MESSAGE__ITEM_MISC:
        take_misc(s, m->misc);
        break;
    case PXS__MESSAGE__ITEM_CLIPBOARD:
        px_xclip_from_client(h->clip, s, &m->clipboard, 1);
        break;
    case PXS__MESSAGE__ITEM_MULTI_CLIPBOARDS:
        px_xclip_from_client(h->clip, s, m->multi_clipboards->clipboards,
                             m->multi_clipboards->n_clipboards);
        break;
    case PXS__MESSAGE__ITEM_CLIPRDR:
        px_xclip_message(h->clip, s, m->cliprdr);
        break;
    case PXS__MESSAGE__ITEM_VOICE_CALL_REQUEST:
        decline_call(s, m->voice_call_request);
        break;
    case PXS__MESSAGE__ITEM_SCREENSHOT_REQUEST:
        px_screenshot_request(s, m->screenshot_request);
        break;
    default: /* not for a remote desktop */
        break;
    }
}

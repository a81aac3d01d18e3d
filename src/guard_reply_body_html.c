/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * The page that people see.
 *
 * Owns markup and style: one file, no script, nothing fetched from anywhere.
 * Refuses to know what the words say. Invariant: it can be read without its
 * style too (a Content-Security-Policy may forbid that), so icons carry their
 * own size, and headings and lists carry the meaning.
 *
 * All but the code and the times is put together by the compiler; rendering
 * copies about ten pieces.
 */
#include "guard_reply_body_words.h"

#include <apr_strings.h>
#include <string.h>
#include <sys/uio.h>

#define HEAD                                                                   \
    "<!DOCTYPE html>\n"                                                        \
    "<html lang=\"en\">\n"                                                     \
    "<head>\n"                                                                 \
    "<meta charset=\"utf-8\">\n"                                               \
    "<meta name=\"viewport\" content=\"width=device-width, "                   \
    "initial-scale=1\">\n"                                                     \
    "<meta name=\"color-scheme\" content=\"light dark\">\n"                    \
    "<meta name=\"robots\" content=\"noindex\">\n"                             \
    "<link rel=\"icon\" href=\"data:,\">\n"                                    \
    "<style>\n" STYLE "</style>\n"

#define STYLE                                                                  \
    ":root{--page:#f2f4f7;--card:#fff;--edge:#dfe4ea;--text:#1b2430;"          \
    "--soft:#536070;--accent:#1f5fae;--tint:#eaf1fa;--on:#fff}\n"              \
    "@media(prefers-color-scheme:dark){:root{--page:#0f141a;"                  \
    "--card:#181f28;--edge:#2a3441;--text:#e7ecf2;--soft:#a5b1c0;"             \
    "--accent:#8abdf8;--tint:#1e2b3b;--on:#0f1a28}}\n"                         \
    "*{box-sizing:border-box}\n"                                               \
    "body{margin:0;min-height:100vh;display:flex;flex-direction:column;"       \
    "align-items:center;justify-content:center;padding:1.5rem 1rem;"           \
    "background:var(--page);color:var(--text);"                                \
    "font:1rem/1.55 system-ui,-apple-system,\"Segoe UI\",Roboto,"              \
    "\"Noto Sans\",\"Helvetica Neue\",Arial,sans-serif}\n"                     \
    "main{width:100%;max-width:36rem;padding:2.25rem 2.5rem;"                  \
    "background:var(--card);border:1px solid var(--edge);"                     \
    "border-radius:1rem;"                                                      \
    "box-shadow:0 1px 2px #0000000a,0 16px 40px -16px #00000024}\n"            \
    "header{display:flex;align-items:center;gap:1rem;"                         \
    "margin-bottom:1.25rem}\n"                                                 \
    ".icon{display:flex;flex:none;align-items:center;"                         \
    "justify-content:center;width:3.25rem;height:3.25rem;"                     \
    "border-radius:50%;background:var(--tint);color:var(--accent)}\n"          \
    "h1{margin:0;font-size:1.625rem;line-height:1.2;font-weight:650;"          \
    "letter-spacing:-.015em;text-wrap:balance}\n"                              \
    "p,li{text-wrap:pretty}\n"                                                 \
    "p{margin:0 0 .5rem}\n"                                                    \
    ".lasting{color:var(--soft)}\n"                                            \
    ".again{display:flex;flex-wrap:wrap;align-items:baseline;"                 \
    "justify-content:space-between;gap:0 1rem;margin:1.25rem 0;"               \
    "padding:.875rem 1.25rem;border-radius:.75rem;background:var(--tint)}\n"   \
    ".again strong{font-size:1.25rem;line-height:1.4;font-weight:650;"         \
    "color:var(--accent);text-wrap:balance}\n"                                 \
    ".again time{font-size:.875rem;color:var(--soft);"                         \
    "font-variant-numeric:tabular-nums}\n"                                     \
    "h2{margin:1.5rem 0 .5rem;font-size:1rem;font-weight:650}\n"               \
    "ul{margin:0;padding-left:1.25rem}\n"                                      \
    "li{margin:.375rem 0;padding-left:.25rem}\n"                               \
    "li::marker{color:var(--accent)}\n"                                        \
    ".go{margin:1.5rem 0 0}\n"                                                 \
    ".go a{display:inline-block;padding:.625rem 1.5rem;"                       \
    "border-radius:.625rem;background:var(--accent);color:var(--on);"          \
    "font-weight:600;text-decoration:none}\n"                                  \
    ".go a:hover{text-decoration:underline}\n"                                 \
    "a:focus-visible{outline:3px solid var(--accent);outline-offset:3px}\n"    \
    "footer{margin-top:1rem;font-size:.875rem;color:var(--soft)}\n"            \
    "code{font:inherit;font-variant-numeric:tabular-nums}\n"                   \
    "@media(max-width:30rem){body{padding:1rem .75rem}main{"                   \
    "padding:1.5rem 1.25rem}header{gap:.875rem}h1{font-size:1.375rem}"         \
    ".icon{width:2.75rem;height:2.75rem}.again{padding:.75rem 1rem}"           \
    ".again strong{font-size:1.125rem}}\n"

#define ICON(shapes)                                                           \
    "<div class=\"icon\"><svg width=\"26\" height=\"26\" "                     \
    "viewBox=\"0 0 24 24\" fill=\"none\" stroke=\"currentColor\" "             \
    "stroke-width=\"1.75\" stroke-linecap=\"round\" "                          \
    "stroke-linejoin=\"round\" aria-hidden=\"true\">" shapes "</svg></div>"
#define ICON_CLOCK                                                             \
    ICON("<circle cx=\"12\" cy=\"12\" r=\"9\"/><path d=\"M12 7v5l3 2\"/>")
#define ICON_KEY                                                               \
    ICON("<circle cx=\"8\" cy=\"15\" r=\"4.5\"/>"                              \
         "<path d=\"M11.2 11.8 20 3m-4 4 3 3\"/>")
#define ICON_LOCK                                                              \
    ICON("<rect x=\"4.5\" y=\"10.5\" width=\"15\" height=\"10\" rx=\"2\"/>"    \
         "<path d=\"M8 10.5V7a4 4 0 0 1 8 0v3.5M12 14.5v2\"/>")
#define ICON_SHIELD                                                            \
    ICON("<path d=\"M12 3 5 5.5V11c0 4.7 2.8 8 7 10 4.2-2 7-5.3 7-10V5.5Z\"/>" \
         "<path d=\"M9 12h6\"/>")

#define LINK(words) "<p class=\"go\"><a href=\"\">" words "</a></p>\n"
#define LINK_AGAIN LINK(GUARD_WORDS_AGAIN)
#define LINK_SIGN_IN LINK(GUARD_WORDS_SIGN_IN)
#define LINK_NONE ""

#define PIECE(text)                                                            \
    {                                                                          \
        (void *)(text), sizeof(text) - 1                                       \
    }

#define TOP(answer, name, icon, link, title, what, lasting, a, b, c, d)        \
    [GUARD_ANSWER_##answer] =                                                  \
        PIECE(HEAD "<title>" title                                             \
                   "</title>\n</head>\n<body>\n<main>\n<header>" ICON_##icon   \
              "<h1>" title "</h1></header>\n<p>" what "</p>\n"),
#define MIDDLE(answer, name, icon, link, title, what, lasting, a, b, c, d)     \
    [GUARD_ANSWER_##answer] = PIECE("<p class=\"lasting\">" lasting "</p>\n"),
#define BOTTOM(answer, name, icon, link, title, what, lasting, a, b, c, d)     \
    [GUARD_ANSWER_##answer] =                                                  \
        PIECE("<h2>" GUARD_WORDS_ADVICE "</h2>\n<ul>\n<li>" a "</li>\n<li>" b  \
              "</li>\n<li>" c "</li>\n<li>" d "</li>\n</ul>\n" LINK_##link     \
              "</main>\n<footer>" GUARD_WORDS_CODE " <code>"),

static const struct iovec top[GUARD_ANSWER_MAX] = {GUARD_WORDS(TOP)};
static const struct iovec proxy = PIECE("<p>" GUARD_WORDS_PROXY "</p>\n");
static const struct iovec middle[GUARD_ANSWER_MAX] = {GUARD_WORDS(MIDDLE)};
static const struct iovec again_open =
    PIECE("<div class=\"again\"><strong>" GUARD_WORDS_AGAIN " ");
static const struct iovec time_open = PIECE("</strong> <time datetime=\"");
static const struct iovec time_next = PIECE("\">");
static const struct iovec time_close = PIECE("</time></div>\n");
static const struct iovec again_close = PIECE("</strong></div>\n");
static const struct iovec bottom[GUARD_ANSWER_MAX] = {GUARD_WORDS(BOTTOM)};
static const struct iovec tail = PIECE("</code></footer>\n</body>\n</html>\n");

#define PIECES_MAX (3 + 7 + 3) /* before, in and after the panel on time */

static struct iovec text(const guard_phrase_t *phrase)
{
    struct iovec piece = {(void *)phrase->text, phrase->length};

    return piece;
}

static struct iovec *put_again(struct iovec *out, const guard_told_t *told)
{
    *out++ = again_open;
    *out++ = text(&told->in);
    if (!told->until.length) {
        *out++ = again_close;
        return out;
    }
    *out++ = time_open;
    *out++ = text(&told->iso);
    *out++ = time_next;
    *out++ = text(&told->until);
    *out++ = time_close;
    return out;
}

const char *guard_body_render_html(apr_pool_t *pool, const guard_body_t *what,
                                   const guard_told_t *told, apr_size_t *length)
{
    struct iovec piece[PIECES_MAX];
    struct iovec *out = piece;

    *out++ = top[what->answer];
    if (what->proxy) {
        *out++ = proxy;
    }
    *out++ = middle[what->answer];
    if (told->in.length) {
        out = put_again(out, told);
    }
    *out++ = bottom[what->answer];
    *out++ = text(&told->code);
    *out++ = tail;
    return apr_pstrcatv(pool, piece, (apr_size_t)(out - piece), length);
}

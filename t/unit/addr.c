/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * addr.c: addresses, prefixes and blocks: what goes in and what must come out.
 */
#include "guard_key.h"
#include "addr.h"
#include "tap.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void addresses_are_read_and_written_back(void)
{
    static const struct {
        const char *text, *back;
        int is_v4;
    } row[] = {
        {"192.0.2.7", "192.0.2.7", 1},
        {"0.0.0.0", "0.0.0.0", 1},
        {"255.255.255.255", "255.255.255.255", 1},
        {"::ffff:192.0.2.7", "192.0.2.7", 1},
        {"::FFFF:c000:207", "192.0.2.7", 1},
        {"0:0:0:0:0:ffff:192.0.2.7", "192.0.2.7", 1},
        {"2001:DB8::1", "2001:db8::1", 0},
        {"2001:0db8:0:0:0:0:0:1", "2001:db8::1", 0},
        {"::", "::", 0},
        {"::1", "::1", 0},
        {"1::ffff:192.0.2.7", "1::ffff:c000:207", 0},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0},
    };
    char buf[GUARD_CIDR_TEXT_MAX];

    for (size_t i = 0; i < COUNT(row); i++) {
        guard_addr_t a = addr(row[i].text);

        is_str(guard_addr_format(buf, &a), row[i].back, row[i].text);
        is(guard_addr_is_v4(&a), row[i].is_v4, "  its family");
    }
}

static void bad_addresses_are_refused_and_leave_the_result_alone(void)
{
    static const char *const text[] = {"",
                                       " ",
                                       "192.0.2",
                                       "192.0.2.256",
                                       "192.0.2.7 ",
                                       " 192.0.2.7",
                                       "192.0.2.7.1",
                                       "192.0.2.7x",
                                       "192.0.2.-1",
                                       "3221225991",
                                       "0xc0.0.2.7",
                                       "192.0.2.7/32",
                                       ":",
                                       ":::",
                                       "1::2::3",
                                       "1:2:3:4:5:6:7:8:9",
                                       "fe80::1%lo",
                                       "fe80::1%1",
                                       "[::1]",
                                       "::1/128",
                                       "::12345",
                                       "::g",
                                       "localhost",
                                       "::ffff:192.0.2.7:80",
                                       "192.0.2.7:80"};
    guard_addr_t before, out;

    memset(&before, 0x5a, sizeof before);
    for (size_t i = 0; i < COUNT(text); i++) {
        out = before;
        ok(guard_addr_parse(&out, text[i]) == APR_EINVAL &&
               same_addr(&out, &before),
           "no address: '%s'", text[i]);
    }
}

static void socket_bytes_are_taken_by_their_length(void)
{
    static const unsigned char v4[4] = {192, 0, 2, 7};
    static const unsigned char mapped[16] = {0, 0, 0,    0,    0,   0, 0, 0,
                                             0, 0, 0xff, 0xff, 192, 0, 2, 7};
    guard_addr_t want = addr("192.0.2.7"), out;

    ok(guard_addr_from_bytes(&out, v4, 4) == APR_SUCCESS &&
           same_addr(&out, &want),
       "4 bytes are IPv4");
    ok(guard_addr_from_bytes(&out, mapped, 16) == APR_SUCCESS &&
           same_addr(&out, &want),
       "16 bytes of a mapped address are the same IPv4 address");
    for (apr_size_t length = 0; length < 20; length++) {
        unsigned char bytes[20] = {0};

        if (length != 4 && length != 16) {
            ok(guard_addr_from_bytes(&out, bytes, length) == APR_EINVAL,
               "%d bytes are no address", (int)length);
        }
    }
}

static void masks_clear_what_lies_behind_the_bits(void)
{
    static const struct {
        const char *text;
        unsigned bits;
        const char *masked;
    } row[] = {
        {"192.0.2.255", 128, "192.0.2.255"},
        {"192.0.2.255", 127, "192.0.2.254"},
        {"192.0.2.255", 121, "192.0.2.128"},
        {"192.0.2.255", 120, "192.0.2.0"},
        {"192.0.2.255", 119, "192.0.2.0"},
        {"192.255.2.255", 105, "192.128.0.0"},
        {"192.0.2.255", GUARD_ADDR_V4_BASE, "0.0.0.0"},
        {"2001:db8:1:2:3:4:5:6", 128, "2001:db8:1:2:3:4:5:6"},
        {"2001:db8:1:2:ffff::", 65, "2001:db8:1:2:8000::"},
        {"2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::"},
        {"2001:db8:1:3:3:4:5:6", 63, "2001:db8:1:2::"},
        {"2001:db8:1:2:3:4:5:6", 48, "2001:db8:1::"},
        {"ffff::", 1, "8000::"},
        {"ffff::", 0, "::"},
    };
    char buf[GUARD_CIDR_TEXT_MAX];

    for (size_t i = 0; i < COUNT(row); i++) {
        guard_addr_t a = addr(row[i].text);

        guard_addr_mask(&a, row[i].bits);
        ok(!strcmp(guard_addr_format(buf, &a), row[i].masked),
           "%s cut to %u bits is %s", row[i].text, row[i].bits, row[i].masked);
    }
}

static void blocks_are_read_as_people_count_bits(void)
{
    static const struct {
        const char *text;
        unsigned bits;
        const char *back;
    } row[] = {
        {"192.0.2.7", 128, "192.0.2.7/32"},
        {"192.0.2.7/32", 128, "192.0.2.7/32"},
        {"192.0.2.7/31", 127, "192.0.2.6/31"},
        {"192.0.2.7/24", 120, "192.0.2.0/24"},
        {"192.0.2.7/1", 97, "128.0.0.0/1"},
        {"192.0.2.7/0", 96, "0.0.0.0/0"},
        {"::ffff:192.0.2.7", 128, "192.0.2.7/32"},
        {"2001:db8::1", 128, "2001:db8::1/128"},
        {"2001:db8::1/128", 128, "2001:db8::1/128"},
        {"2001:db8:1:2:3::/64", 64, "2001:db8:1:2::/64"},
        {"2001:db8::1/33", 33, "2001:db8::/33"},
        {"2001:db8::1/0", 0, "::/0"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", 128,
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"},
    };
    char buf[GUARD_CIDR_TEXT_MAX];

    for (size_t i = 0; i < COUNT(row); i++) {
        guard_cidr_t cidr = {{{0}}, 0};

        ok(guard_cidr_parse(&cidr, row[i].text) == APR_SUCCESS, "read %s",
           row[i].text);
        is(cidr.bits, row[i].bits, "  its bits in the mapped space");
        is_str(guard_cidr_format(buf, &cidr.addr, cidr.bits), row[i].back,
               "  written back, host bits cleared");
    }
}

static void bad_blocks_are_refused_and_leave_the_result_alone(void)
{
    static const char *const text[] = {
        "",
        "/",
        "/24",
        "192.0.2.7/",
        "192.0.2.7/33",
        "192.0.2.7/128",
        "192.0.2.7/-1",
        "192.0.2.7/+8",
        "192.0.2.7/ 8",
        "192.0.2.7/8 ",
        "192.0.2.7/8x",
        "192.0.2.7/8/8",
        "192.0.2.7/0x8",
        "192.0.2.7/256",
        "192.0.2.7/4294967304",
        "192.0.2.7/18446744073709551624",
        "192.0.2/24",
        "192.0.2.7/255.255.255.0",
        "2001:db8::/129",
        "2001:db8::/",
        "2001:db8::/384",
        "fe80::1%lo/64",
        "none",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
    };
    guard_cidr_t before, out;

    memset(&before, 0x5a, sizeof before);
    for (size_t i = 0; i < COUNT(text); i++) {
        out = before;
        ok(guard_cidr_parse(&out, text[i]) == APR_EINVAL &&
               same_addr(&out.addr, &before.addr) && out.bits == before.bits,
           "no block: '%s'", text[i]);
    }
}

static void blocks_contain_what_lies_in_them(void)
{
    static const struct {
        const char *cidr, *addr;
        int inside;
    } row[] = {
        {"192.0.2.0/24", "192.0.2.0", 1},
        {"192.0.2.0/24", "192.0.2.255", 1},
        {"192.0.2.0/24", "::ffff:192.0.2.9", 1},
        {"192.0.2.0/24", "192.0.3.0", 0},
        {"192.0.2.0/24", "192.0.1.255", 0},
        {"192.0.2.0/25", "192.0.2.128", 0},
        {"192.0.2.7", "192.0.2.7", 1},
        {"192.0.2.7", "192.0.2.6", 0},
        {"0.0.0.0/0", "255.255.255.255", 1},
        {"0.0.0.0/0", "::1", 0},
        {"0.0.0.0/0", "2001:db8::1", 0},
        {"2001:db8::/33", "2001:db8:7fff::1", 1},
        {"2001:db8::/33", "2001:db8:8000::1", 0},
        {"2001:db8::/64", "2001:db8::ffff:ffff:ffff:ffff", 1},
        {"2001:db8::/64", "2001:db8:0:1::", 0},
        {"::1/128", "::1", 1},
        {"::1/128", "::", 0},
        {"::/0", "2001:db8::1", 1},
    };

    for (size_t i = 0; i < COUNT(row); i++) {
        guard_cidr_t cidr = {{{0}}, 0};
        guard_addr_t a = addr(row[i].addr);

        guard_cidr_parse(&cidr, row[i].cidr);
        ok(guard_cidr_contains(&cidr, &a) == row[i].inside, "%s %s in %s",
           row[i].addr, row[i].inside ? "lies" : "does not lie", row[i].cidr);
    }
}

int main(void)
{
    addresses_are_read_and_written_back();
    bad_addresses_are_refused_and_leave_the_result_alone();
    socket_bytes_are_taken_by_their_length();
    masks_clear_what_lies_behind_the_bits();
    blocks_are_read_as_people_count_bits();
    bad_blocks_are_refused_and_leave_the_result_alone();
    blocks_contain_what_lies_in_them();
    return tap_done();
}

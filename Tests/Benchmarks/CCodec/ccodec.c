// The yardstick of `make bench-smpp-codec`: submit_sm by hand, as one writes it in C: fields in a struct, strings in place,
// no allocation. It checks what the Swift codec checks: lengths, terminators, the end of the body.
#include "ccodec.h"

#include <string.h>

enum { MAX_TLVS = 32 };

struct address {
    uint8_t ton, npi;
    char value[21];
    uint8_t length;
};

struct tlv {
    uint16_t tag, length;
    const uint8_t *value;
};

struct submit_sm {
    uint32_t status, sequence;
    char service_type[6];
    uint8_t service_type_length;
    struct address source, destination;
    uint8_t esm_class, protocol_id, priority_flag;
    char schedule_delivery_time[17], validity_period[17];
    uint8_t schedule_length, validity_length;
    uint8_t registered_delivery, replace_if_present, data_coding, sm_default_msg_id, sm_length;
    uint8_t short_message[255];
    struct tlv tlvs[MAX_TLVS];
    size_t tlv_count;
};

static uint32_t load32(const uint8_t *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }
static uint16_t load16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static void store32(uint8_t *p, uint32_t v) { p[0] = v >> 24, p[1] = v >> 16, p[2] = v >> 8, p[3] = v; }
static void store16(uint8_t *p, uint16_t v) { p[0] = v >> 8, p[1] = v; }

struct cursor {
    const uint8_t *at, *end;
};

static int text(struct cursor *c, char *field, size_t room, uint8_t *length) {
    size_t left = (size_t)(c->end - c->at), limit = left < room ? left : room;
    for (size_t i = 0; i < limit; i++) {
        field[i] = (char)c->at[i];
        if (!c->at[i]) {
            *length = (uint8_t)i;
            c->at += i + 1;
            return 1;
        }
    }
    return 0;
}

static int octet(struct cursor *c, uint8_t *field) {
    if (c->at >= c->end) return 0;
    *field = *c->at++;
    return 1;
}

static int address(struct cursor *c, struct address *a) {
    return octet(c, &a->ton) && octet(c, &a->npi) && text(c, a->value, sizeof a->value, &a->length);
}

static int decode(const uint8_t *pdu, size_t length, struct submit_sm *m) {
    struct cursor c = {pdu + 16, pdu + length};
    m->status = load32(pdu + 8);
    m->sequence = load32(pdu + 12);
    if (!text(&c, m->service_type, sizeof m->service_type, &m->service_type_length)) return 0;
    if (!address(&c, &m->source) || !address(&c, &m->destination)) return 0;
    if (!octet(&c, &m->esm_class) || !octet(&c, &m->protocol_id) || !octet(&c, &m->priority_flag)) return 0;
    if (!text(&c, m->schedule_delivery_time, 17, &m->schedule_length)) return 0;
    if (!text(&c, m->validity_period, 17, &m->validity_length)) return 0;
    if (!octet(&c, &m->registered_delivery) || !octet(&c, &m->replace_if_present) || !octet(&c, &m->data_coding)) return 0;
    if (!octet(&c, &m->sm_default_msg_id) || !octet(&c, &m->sm_length)) return 0;
    if ((size_t)(c.end - c.at) < m->sm_length) return 0;
    memcpy(m->short_message, c.at, m->sm_length);
    c.at += m->sm_length;
    m->tlv_count = 0;
    while (c.at < c.end) {
        if (c.end - c.at < 4 || m->tlv_count == MAX_TLVS) return 0;
        struct tlv *t = &m->tlvs[m->tlv_count++];
        t->tag = load16(c.at);
        t->length = load16(c.at + 2);
        c.at += 4;
        if (c.end - c.at < t->length) return 0;
        t->value = c.at;
        c.at += t->length;
    }
    return 1;
}

static uint8_t *put(uint8_t *p, const void *bytes, size_t length) {
    memcpy(p, bytes, length);
    return p + length;
}

static uint8_t *put_text(uint8_t *p, const char *value, size_t length) {
    p = put(p, value, length);
    *p++ = 0;
    return p;
}

static uint8_t *put_address(uint8_t *p, const struct address *a) {
    *p++ = a->ton;
    *p++ = a->npi;
    return put_text(p, a->value, a->length);
}

static size_t encode(const struct submit_sm *m, uint8_t *out) {
    uint8_t *p = out + 16;
    p = put_text(p, m->service_type, m->service_type_length);
    p = put_address(p, &m->source);
    p = put_address(p, &m->destination);
    *p++ = m->esm_class;
    *p++ = m->protocol_id;
    *p++ = m->priority_flag;
    p = put_text(p, m->schedule_delivery_time, m->schedule_length);
    p = put_text(p, m->validity_period, m->validity_length);
    *p++ = m->registered_delivery;
    *p++ = m->replace_if_present;
    *p++ = m->data_coding;
    *p++ = m->sm_default_msg_id;
    *p++ = m->sm_length;
    p = put(p, m->short_message, m->sm_length);
    for (size_t i = 0; i < m->tlv_count; i++) {
        store16(p, m->tlvs[i].tag);
        store16(p + 2, m->tlvs[i].length);
        p = put(p + 4, m->tlvs[i].value, m->tlvs[i].length);
    }
    store32(out, (uint32_t)(p - out));
    store32(out + 4, 4);
    store32(out + 8, m->status);
    store32(out + 12, m->sequence);
    return (size_t)(p - out);
}

size_t ccodec_pass(const uint8_t *in, size_t length, uint8_t *out) {
    static struct submit_sm message;
    size_t count = 0;
    const uint8_t *end = in + length;
    while (end - in >= 16) {
        uint32_t size = load32(in);
        if (size < 16 || size > 70000 || size > (size_t)(end - in) || load32(in + 4) != 4) return 0;
        if (!decode(in, size, &message)) return 0;
        out += encode(&message, out);
        in += size;
        count++;
    }
    return count;
}

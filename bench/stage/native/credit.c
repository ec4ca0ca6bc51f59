/* See credit.h. A ticket's id is made of its organization's and its gateway incarnation's. */
#define _GNU_SOURCE
#include "credit.h"

#include <stdio.h>
#include <string.h>

#define ID_LENGTH 36
#define TICKETS_MAX 8192
/* In nano-units: no bench spends it, and the relay counts against it call by call. */
#define CREDIT_NANO "1000000000000000"

typedef struct {
    char incarnation[ID_LENGTH], organization[ID_LENGTH];
} Ticket;

static Ticket tickets[TICKETS_MAX];
static int ticket_count;

void put(Buffer *out, const char *text, size_t length) {
    reserve(out, length);
    memcpy(out->bytes + out->length, text, length);
    out->length += length;
}

/* Finds the text behind `mark`; the report is JSON without white space, as both the relay and pydantic write it. */
static const char *find_id(const char *text, const char *end, const char *mark) {
    const char *found = memmem(text, (size_t)(end - text), mark, strlen(mark));
    if (!found || found + strlen(mark) + ID_LENGTH > end) return NULL;
    return found + strlen(mark);
}

static void open_ticket(const char *incarnation, const char *organization) {
    for (int position = 0; position < ticket_count; position++) {
        const Ticket *one = &tickets[position];
        if (!memcmp(one->incarnation, incarnation, ID_LENGTH) && !memcmp(one->organization, organization, ID_LENGTH)) return;
    }
    if (ticket_count == TICKETS_MAX) return;
    memcpy(tickets[ticket_count].incarnation, incarnation, ID_LENGTH);
    memcpy(tickets[ticket_count++].organization, organization, ID_LENGTH);
}

static void put_tickets(Buffer *answer, const char *incarnation) {
    const char *comma = "";
    for (int position = 0; position < ticket_count; position++) {
        const Ticket *one = &tickets[position];
        if (memcmp(one->incarnation, incarnation, ID_LENGTH)) continue;
        char text[320];
        int length = snprintf(text, sizeof text,
            "%s{\"ticket_id\":\"%.24s%.12s\",\"holder_id\":\"%.36s\",\"credit_nano\":\"" CREDIT_NANO "\",\"give_back_nano\":\"0\",\"currency\":\"JPY\"}",
            comma, one->organization, one->incarnation + 24, one->organization);
        put(answer, text, (size_t)length);
        comma = ",";
    }
}

void answer_credit(const char *report, size_t length, Buffer *answer) {
    static const char nobody[ID_LENGTH];
    const char *end = report + length;
    const char *incarnation = find_id(report, end, "\"incarnation\":\"");
    /* Only what is wanted names holders. */
    for (const char *found = report; incarnation && (found = find_id(found, end, "\"holder_id\":\"")); found += ID_LENGTH) open_ticket(incarnation, found);
    static const char head[] = "{\"lease_s\":7200,\"renew_s\":10,\"tickets\":[", tail[] = "],\"refused\":[],\"rates\":[],\"default_share_ppm\":1000000}";
    put(answer, head, sizeof head - 1);
    put_tickets(answer, incarnation ? incarnation : nobody);
    put(answer, tail, sizeof tail - 1);
}

/* The credit exchange of the stand-in platform: every organization that wants credit has plenty, every gateway all shares. */
#ifndef STAGE_CREDIT_H
#define STAGE_CREDIT_H

#include "http.h"

/* Reads a gateway's report and writes the answer to it (JSON) behind `answer`. */
void answer_credit(const char *report, size_t length, Buffer *answer);
void put(Buffer *out, const char *text, size_t length);

#endif

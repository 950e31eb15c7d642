#pragma once
/* The header asks for the width of a character before anything else: ours are octets of UTF-8. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

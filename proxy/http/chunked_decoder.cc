#include "proxy/http/chunked_decoder.h"

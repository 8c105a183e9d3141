#include "proxy/http/refusal.h"

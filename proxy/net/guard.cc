#include "proxy/net/guard.h"

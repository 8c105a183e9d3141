#include "proxy/http/status.h"

#include "proxy/http/rewrite.h"

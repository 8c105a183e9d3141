#include "proxy/http/fields.h"

#include "proxy/http/basic_credentials.h"

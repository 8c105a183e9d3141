#include "proxy/http/head.h"

#include "proxy/http/framing.h"

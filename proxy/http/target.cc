#include "proxy/http/target.h"

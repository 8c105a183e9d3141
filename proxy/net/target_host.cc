#include "proxy/net/target_host.h"

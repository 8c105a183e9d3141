#include "proxy/socks/socks5.h"

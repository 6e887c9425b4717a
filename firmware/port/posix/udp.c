#define _GNU_SOURCE /* getifaddrs, MSG_TRUNC */

#include "udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int udp_listen(const char *where, const char **why)
{
    char host[128];
    const char *colon = strrchr(where, ':');
    const char *from = where;
    size_t n;
    struct addrinfo hints, *found = NULL;
    int fd = -1, err;

    *why = "want HOST:PORT, for example 127.0.0.1:0";
    if (colon == NULL)
        return -1;
    n = (size_t)(colon - where);
    if (n >= 2 && where[0] == '[' && colon[-1] == ']') {
        from++;
        n -= 2;
    }
    if (n == 0 || n >= sizeof host)
        return -1;
    memcpy(host, from, n);
    host[n] = 0;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_DGRAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
    err = getaddrinfo(host, colon + 1, &hints, &found);
    if (err != 0) {
        *why = gai_strerror(err);
        return -1;
    }
    fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0) {
        *why = strerror(errno);
        if (fd >= 0)
            (void)close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

int udp_name(int fd, char *text, size_t size)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    char host[INET6_ADDRSTRLEN], port[8];
    int n;

    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0 ||
        getnameinfo((struct sockaddr *)&at, len, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return -1;
    n = snprintf(text, size, at.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    return n > 0 && (size_t)n < size ? 0 : -1;
}

ssize_t udp_receive(int fd, void *buf, size_t cap, udp_peer *from)
{
    memset(from, 0, sizeof *from);
    from->len = sizeof from->addr;
    return recvfrom(fd, buf, cap, MSG_TRUNC, (struct sockaddr *)&from->addr, &from->len);
}

void udp_send(int fd, const void *buf, size_t n, const udp_peer *to)
{
    /* What the network loses the peer asks for again. */
    (void)sendto(fd, buf, n, 0, (const struct sockaddr *)&to->addr, to->len);
}

static int same_network(const uint8_t *a, const uint8_t *b, const uint8_t *mask, size_t n)
{
    size_t i;
    uint8_t any = 0;

    for (i = 0; i < n; i++) {
        if ((a[i] & mask[i]) != (b[i] & mask[i]))
            return 0;
        any |= mask[i];
    }
    return any != 0; /* a mask of nothing is no network */
}

static const uint8_t *bytes_of(const struct sockaddr *a, size_t *n)
{
    if (a->sa_family == AF_INET) {
        *n = 4;
        return (const uint8_t *)&((const struct sockaddr_in *)(const void *)a)->sin_addr;
    }
    if (a->sa_family == AF_INET6) {
        *n = 16;
        return (const uint8_t *)&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
    }
    *n = 0;
    return NULL;
}

int udp_is_near(const udp_peer *peer)
{
    struct ifaddrs *all, *i;
    size_t n, m;
    const uint8_t *a = bytes_of((const struct sockaddr *)&peer->addr, &n);
    int near = 0;

    if (a == NULL || getifaddrs(&all) != 0)
        return 0;
    for (i = all; i != NULL && !near; i = i->ifa_next) {
        if (i->ifa_addr == NULL || i->ifa_netmask == NULL || i->ifa_addr->sa_family != peer->addr.ss_family)
            continue;
        near = same_network(a, bytes_of(i->ifa_addr, &m), bytes_of(i->ifa_netmask, &m), n);
    }
    freeifaddrs(all);
    return near;
}

/* src/net/nft.c - commands to the kernel's nf_tables, through libnftables */
#include "net/nft.h"
#include "base/cleanup.h"
#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <nftables/libnftables.h>
#include <string.h>

PX_DEFINE_CLEANUP(struct nft_ctx *, nft_ctx_free)
PX_DEFINE_CLEANUP(struct nl_sock *, nl_socket_free)

/* libnftables has text and no numbers: its first line ends with the kernel's reason. */
static int code_of(const char *text) {
    static const int codes[] = {ENOENT, EOPNOTSUPP, EAFNOSUPPORT, EPROTONOSUPPORT, EPERM};
    for (size_t i = 0; i < PX_N_ELEMENTS(codes); i++)
        if (strstr(text, strerror(codes[i])))
            return codes[i] == EAFNOSUPPORT || codes[i] == EPROTONOSUPPORT ? -EOPNOTSUPP
                                                                           : -codes[i];
    return -EIO;
}

static int fail_nft(struct px_error *err, const char *text) {
    const int code = code_of(text);
    /* "/dev/stdin:1:1-9: Error: what" or "Error: what"; what stands below quotes our own command.
     */
    const char *start = strstr(text, "Error: ");
    start = start ? start + strlen("Error: ") : text;
    px_fail(err, code, "nftables: %.*s", (int)strcspn(start, "\n"), *start ? start : "no answer");
    return code == -EOPNOTSUPP
               ? px_hint(err, code, "modprobe -a nf_tables nft_masq nft_reject_inet")
               : code;
}

int px_nft_run(const char *text, bool json, struct px_buf *out, struct px_error *err) {
    px_cleanup(nft_ctx_freep) struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
    if (!nft || nft_ctx_buffer_output(nft) != 0 || nft_ctx_buffer_error(nft) != 0)
        return px_fail(err, -EIO, "cannot set up libnftables");
    if (json)
        nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_JSON);
    if (nft_run_cmd_from_buffer(nft, text) != 0)
        return fail_nft(err, nft_ctx_get_error_buffer(nft));
    if (out)
        px_buf_puts(out, nft_ctx_get_output_buffer(nft));
    return 0;
}

static int on_generation(struct nl_msg *msg, void *data) {
    const struct nlattr *a = nlmsg_find_attr(nlmsg_hdr(msg), sizeof(struct nfgenmsg), NFTA_GEN_ID);
    if (a && nla_len(a) >= (int)sizeof(uint32_t))
        *(uint32_t *)data = ntohl(nla_get_u32(a));
    return NL_OK;
}

int px_nft_generation(uint32_t *ret, struct px_error *err) {
    px_cleanup(nl_socket_freep) struct nl_sock *sock = nl_socket_alloc();
    struct nfgenmsg head = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0};
    uint32_t generation = 0;
    int r = sock ? nl_connect(sock, NETLINK_NETFILTER) : -NLE_NOMEM;
    if (r >= 0) {
        nl_socket_disable_auto_ack(sock);
        nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, on_generation, &generation);
        r = nl_send_simple(sock, (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN, NLM_F_REQUEST, &head,
                           sizeof(head));
    }
    if (r >= 0)
        r = nl_recvmsgs_default(sock);
    if (r == -NLE_PERM) {
        px_fail(err, -EPERM, "reading nftables is not permitted");
        return px_hint(err, -EPERM, "run it as root");
    }
    if (r < 0 || generation == 0)
        return px_fail(err, -EIO, "nftables does not answer: %s",
                       r < 0 ? nl_geterror(r) : "no generation");
    *ret = generation;
    return 0;
}

bool px_nft_has_family(const char *family) {
    px_cleanup(px_buf_fini) struct px_buf text = {0};
    px_buf_printf(&text, "table %s phoenix-probe\ndelete table %s phoenix-probe\n", family, family);
    return px_nft_run(px_buf_str(&text), false, NULL, NULL) == 0;
}

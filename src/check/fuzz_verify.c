/* src/check/fuzz_verify.c - what desktops and checks say is read in bounds and comes out printable
 */
#include "check/findings.h"
#include "check/dns.h"
#include "check/probing.h"
#include "check/verify_parse.h"
#include "base/alloc.h"
#include <assert.h>
#include <jansson.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    px_cleanup_free char *text = px_calloc(1, size + 1);
    px_cleanup(px_findings_fini) struct px_findings list = {0};
    char word[16], names[PX_VERIFY_TEXT_MAX];
    struct px_verify_map map;
    struct px_verify_status status;
    memcpy(text, data, size);
    px_verify_word(text, word, sizeof(word));
    px_verify_first_words(text, names);
    assert(!strpbrk(word, "\n\x1b") && !strpbrk(names, "\n\x1b"));
    px_verify_idmap(text, &map);
    px_verify_proc_status(text, &status);
    if (px_findings_parse(text, size, &list, NULL) == 0)
        for (size_t i = 0; i < list.n; i++)
            assert(!strpbrk(list.items[i].text, "\n\x1b"));
    else
        assert(list.n == 0);
    struct in_addr address;
    struct px_verify_result_line line;
    if (size >= 2)
        px_dns_parse(data, size, (uint16_t)(data[0] << 8 | data[1]), &address, NULL);
    if (px_verify_result(text, &line) == 0)
        assert(!strpbrk(line.device, "\n\x1b"));
    struct px_stages stages;
    px_stages_parse(text, &stages);
    json_decref(px_stages_json(&stages, &stages));
    int x = 0, y = 0;
    struct px_probing_report report;
    if (px_aim_parse(text, &x, &y) == 0)
        assert(x >= 0 && y >= 0);
    if (px_probing_parse(text, size, &report, NULL) == 0)
        assert(!strpbrk(report.line, "\n\x1b") && !strpbrk(report.files_error, "\n\x1b"));
    return 0;
}

/* src/check/fuzz_verify_gpu.c - what a probe inside claims gives ratios that are numbers, or none
 */
#include "base/alloc.h"
#include "check/verify_gpu_parse.h"
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    px_cleanup(px_findings_fini) struct px_findings said = {0}, judged = {0};
    px_cleanup_free struct px_rates *rates = px_new0(struct px_rates, 1);
    px_cleanup_free char *text = px_calloc(1, size + 1);
    memcpy(text, data, size);
    if (px_findings_parse(text, size, &said, NULL) < 0)
        return 0;
    for (int i = 0; i < PX_RATES_ROUNDS_MAX + 2; i++)
        px_rates_add(rates, &said, i % 2);
    assert(rates->n <= PX_RATES_MAX);
    px_rates_judge(rates, 0.95, &judged);
    assert(judged.n <= rates->n);
    for (size_t i = 0; i < judged.n; i++) {
        assert(isfinite(judged.items[i].value) && judged.items[i].value > 0);
        assert(!strpbrk(judged.items[i].text, "\n\x1b"));
    }
    return 0;
}

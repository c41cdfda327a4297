/* src/check/verify_work.c - real work inside, as the desktop's user: Python, notebooks, PyTorch,
 * TensorFlow
 *
 * Each prints one line, "RESULT VALUE MS DEVICE", whose value is known beforehand: the sum of the
 * product of two constant matrices, 2 * 3 * 512 for each of 512 * 512 entries, exact in any
 * precision that is used. */
#include "base/alloc.h"
#include "base/clock.h"
#include "check/verify_desk.h"
#include "check/verify_parse.h"
#include <string.h>

#define PRODUCT_SUM 805306368.0

struct work {
    const char *subject;
    const char *python; /* where it is not, neither is what is to be tried */
    const char *absent; /* what to say then */
    const char *script;
    double want;
    int64_t timeout_us;
    bool uses_gpu; /* must compute on a card where the desktop has one */
};

static void do_work(const struct px_verify_desk *desk, const struct work *w,
                    struct px_findings *ret) {
    const char *const argv[] = {w->python, "-I", "-c", w->script, NULL};
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    struct px_verify_result_line line;
    struct px_error err = {0};
    char why[PX_DESK_WHY_MAX];
    if (!px_desk_has(desk, w->python)) {
        px_found_skip(ret, w->subject, "%s", w->absent);
        return;
    }
    const int r = px_desk_run(
        desk, &(struct px_desk_run){.argv = argv, .timeout_us = w->timeout_us}, &out, why, &err);
    if (r < 0)
        px_found_error(ret, w->subject, &err);
    else if (px_verify_result(px_buf_str(&out), &line) < 0)
        px_found_fail(ret, w->subject, NULL, "it ended with status %d and no result%s%s", r,
                      why[0] ? ": " : "", why);
    else if (line.value != w->want)
        px_found_fail(ret, w->subject, NULL, "wrong result: %.17g, not %.17g", line.value, w->want);
    else if (w->uses_gpu && desk->d->rec->gpus.n > 0 && strcmp(line.device, "cpu") == 0)
        px_found_fail(ret, w->subject, "phoenix verify NAME --only gpu",
                      "right, but computed by the CPU: it does not see its card");
    else {
        px_found_ok(ret, w->subject, "right result on %s in %.0f ms", line.device, line.ms);
        px_findings_value(ret, line.ms, "ms");
    }
}

void px_verify_python(const void *data, struct px_findings *ret) {
    static const struct work work = {
        .subject = "python",
        .python = "/usr/bin/python3",
        .absent = "its image has no Python",
        .script = "import time\n"
                  "t = time.perf_counter()\n"
                  "try:\n"
                  "    import numpy\n"
                  "    a, b = numpy.full((512, 512), 2.0), numpy.full((512, 512), 3.0)\n"
                  "    s, what = (a @ b).sum(), 'cpu-numpy'\n"
                  "except ImportError:\n"
                  "    s, what = sum(3072.0 for i in range(262144)), 'cpu'\n"
                  "print('RESULT', float(s), (time.perf_counter() - t) * 1e3, what)\n",
        .want = PRODUCT_SUM,
        .timeout_us = 60 * PX_US_PER_S};
    do_work(data, &work, ret);
}

void px_verify_notebook(const void *data, struct px_findings *ret) {
    static const struct work work = {
        .subject = "notebook",
        .python = "/opt/jupyter/bin/python3",
        .absent = "its image has no JupyterLab",
        .script = "import time\n"
                  "from jupyter_client.manager import start_new_kernel\n"
                  "t = time.perf_counter()\n"
                  "manager, client = start_new_kernel(startup_timeout=100)\n"
                  "said = []\n"
                  "def hear(m):\n"
                  "    if m['msg_type'] == 'stream': said.append(m['content']['text'])\n"
                  "try:\n"
                  "    client.execute_interactive('print(6 * 7)', timeout=60, output_hook=hear)\n"
                  "finally:\n"
                  "    client.stop_channels()\n"
                  "    manager.shutdown_kernel(now=True)\n"
                  "print('RESULT', ''.join(said).strip(), (time.perf_counter() - t) * 1e3,\n"
                  "      'a-kernel')\n",
        .want = 42,
        .timeout_us = 170 * PX_US_PER_S};
    do_work(data, &work, ret);
}

void px_verify_torch(const void *data, struct px_findings *ret) {
    static const struct work work = {
        .subject = "pytorch",
        .python = "/opt/ai/torch/bin/python",
        .absent = "its image has no PyTorch (recipe 'ai' has)",
        .script = "import time, torch\n"
                  "d = 'cuda' if torch.cuda.is_available() else 'cpu'\n"
                  "t = time.perf_counter()\n"
                  "a = torch.full((512, 512), 2.0, device=d)\n"
                  "b = torch.full((512, 512), 3.0, device=d)\n"
                  "s = (a @ b).sum().item()\n"
                  "x = torch.tensor(3.0, device=d, requires_grad=True)\n"
                  "(x * x).backward()\n"
                  "s += x.grad.item() - 6\n"
                  "n = torch.cuda.get_device_name(0) if d == 'cuda' else 'cpu'\n"
                  "print('RESULT', s, (time.perf_counter() - t) * 1e3, n.replace(' ', '-'))\n",
        .want = PRODUCT_SUM,
        .timeout_us = 170 * PX_US_PER_S,
        .uses_gpu = true};
    do_work(data, &work, ret);
}

void px_verify_tensorflow(const void *data, struct px_findings *ret) {
    static const struct work work = {
        .subject = "tensorflow",
        .python = "/opt/ai/tensorflow/bin/python",
        .absent = "its image has no TensorFlow (recipe 'ai' has)",
        .script = "import os, time\n"
                  "os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'\n"
                  "import tensorflow as tf\n"
                  "g = tf.config.list_physical_devices('GPU')\n"
                  "t = time.perf_counter()\n"
                  "s = float(tf.reduce_sum(tf.fill((512, 512), 2.0) @ tf.fill((512, 512), 3.0)))\n"
                  "x = tf.Variable(3.0)\n"
                  "with tf.GradientTape() as tape: y = x * x\n"
                  "s += float(tape.gradient(y, x)) - 6\n"
                  "print('RESULT', s, (time.perf_counter() - t) * 1e3, 'GPU' if g else 'cpu')\n",
        .want = PRODUCT_SUM,
        .timeout_us = 170 * PX_US_PER_S,
        .uses_gpu = true};
    do_work(data, &work, ret);
}

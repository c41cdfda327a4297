/* tests/gpu/nvml_calls.h - what src/gpu/nvml.c asks NVML, by the shape of the call
 *
 * For nvml_record.c, which writes the answers of a real library down, and nvml_replay.c, which
 * gives them again. One line of a record is one call:
 *
 *     nvmlDeviceGetP2PStatus 0 1 2 = 0 0     function, arguments (cards by index), "=", code,
 * values nvmlDeviceGetEncoderStats 0 = 3        no values behind a code that is not 0
 *     nvmlSystemGetNVMLVersion absent        the library has no such function
 *
 * Shapes as in NVIDIA's NVML API reference. */
#pragma once

/* X(function, what the argument is or 0) */
#define NVML_SYSTEM_TEXTS(X) /* (char *, unsigned) */                                              \
    X(nvmlSystemGetDriverVersion, 0)                                                               \
    X(nvmlSystemGetNVMLVersion, 0)
#define NVML_SYSTEM_NUMBERS(X) /* (unsigned *) */                                                  \
    X(nvmlSystemGetCudaDriverVersion_v2, 0)                                                        \
    X(nvmlDeviceGetCount_v2, 0)
#define NVML_TEXTS(X) /* (device, char *, unsigned) */                                             \
    X(nvmlDeviceGetUUID, 0)                                                                        \
    X(nvmlDeviceGetName, 0)
#define NVML_NUMBERS(X) /* (device, unsigned *) */                                                 \
    X(nvmlDeviceGetMinorNumber, 0)                                                                 \
    X(nvmlDeviceGetGpuInstanceId, 0)                                                               \
    X(nvmlDeviceGetComputeInstanceId, 0)                                                           \
    X(nvmlDeviceGetPowerUsage, 0)                                                                  \
    X(nvmlDeviceGetPersistenceMode, 0)
#define NVML_PAIRS(X) /* (device, unsigned *, unsigned *) */                                       \
    X(nvmlDeviceGetCudaComputeCapability, 0)                                                       \
    X(nvmlDeviceGetMigMode, 0)                                                                     \
    X(nvmlDeviceGetEncoderUtilization, 0)                                                          \
    X(nvmlDeviceGetDecoderUtilization, 0)
#define NVML_TRIPLES(X) /* (device, unsigned *, unsigned *, unsigned *) */                         \
    X(nvmlDeviceGetEncoderStats, 0)
#define NVML_BY_KIND(X) /* (device, int kind, unsigned *); kind: H.264; the card's sensor */       \
    X(nvmlDeviceGetEncoderCapacity, 0)                                                             \
    X(nvmlDeviceGetTemperature, 0)
#define NVML_PROCESSES(X) /* (device, unsigned *n, struct nvml_process *) */                       \
    X(nvmlDeviceGetComputeRunningProcesses_v3, 0)                                                  \
    X(nvmlDeviceGetGraphicsRunningProcesses_v3, 0)
/* By hand: nvmlInit_v2, nvmlShutdown, nvmlErrorString, nvmlDeviceGetHandleByIndex_v2,
 * nvmlDeviceGetPciInfo_v3, nvmlDeviceGetMemoryInfo (total, free, used),
 * nvmlDeviceGetUtilizationRates (card, memory), nvmlDeviceGetProcessUtilization ("room": how many
 * samples it wants room for; else how many there are, and of each pid, card, memory, encoder,
 * decoder), nvmlDeviceGetMigDeviceHandleByIndex (of a card
 * without MIG: a code), nvmlDeviceGetTopologyCommonAncestor, nvmlDeviceGetP2PStatus (0: read, 2:
 * NVLink). nvmlDeviceSetPersistenceMode is never recorded: it would change the card. */

#define NVML_PROCESSES_MAX 64
#define NVML_CARDS_MAX 16
struct nvml_process {
    unsigned pid;
    unsigned long long used;
    unsigned gi, ci;
};
struct nvml_process_use {
    unsigned pid;
    unsigned long long time_us;
    unsigned gpu, memory, encoder, decoder;
};
struct nvml_pci {
    char bus_id_legacy[16];
    unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
    char bus_id[32];
};

#!/usr/bin/env python3
"""Makes av1_tables.c from the AV1 specification's text (AOMediaCodec/av1-spec):

    av1_tables.py 10.additional.tables.md > av1_tables.c

Only what the encoder uses is taken. Chances are turned round (32768 less), as the coder wants them;
the last number of each is how often it was used."""
import re
import sys

text = open(sys.argv[1]).read()


def table(name):
    found = re.search(r"^" + name + r"\s*((?:\[[^\]]*\]\s*)+)=\s*\{", text, re.M)
    at = found.end() - 1
    end, depth = at, 0
    while True:
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
        if depth == 0:
            break
    body = re.sub(r"//.*", "", text[at:end])
    body = re.sub(r"(\d+)\s*\*\s*(\d+)", lambda m: str(int(m[1]) * int(m[2])), body)
    return eval(body.replace("{", "[").replace("}", "]"))


def turned(t):
    if isinstance(t[0], list):
        return [turned(x) for x in t]
    return [32768 - x for x in t[:-1]] + [0]


def put(t, indent):
    if not isinstance(t, list):
        return str(t)
    if not isinstance(t[0], list):
        return "{" + ", ".join(map(str, t)) + "}"
    return "{" + ", ".join(put(x, indent + 1) for x in t) + "}"


def cdf(name):
    return turned(table("Default_" + name + "_Cdf"))


MODES = [0, 1, 2, 12]  # DC, V, H, Paeth


def of_modes(t):
    return [t[i] for i in MODES]


def colours(n, plane):
    rows = cdf("Palette_Size_%d_%s_Color" % (n, plane))
    return [r + [0] * (10 - len(r)) for r in rows]


def component():
    bits = cdf("Mv_Bit")
    return [cdf("Mv_Class")[0], cdf("Mv_Sign"), cdf("Mv_Class0_Bit"), bits]


common = [
    ("skip", cdf("Skip")),
    ("inter", cdf("Is_Inter")),
    ("reference", cdf("Single_Ref")),
    ("new_move", cdf("New_Mv")),
    ("still", cdf("Zero_Mv")),
    ("near_move", cdf("Ref_Mv")),
    ("which_move", cdf("Drl_Mode")),
    ("joint", cdf("Mv_Joint")),
    ("move", [component(), component()]),
    ("key_mode", cdf("Intra_Frame_Y_Mode")),
    ("mode", cdf("Y_Mode")),
    ("uv_mode", of_modes(cdf("Uv_Mode_Cfl_Allowed"))),
    ("angle", cdf("Angle_Delta")[:2]),
    ("cut8", cdf("Partition_W8")),
    ("cut", [cdf("Partition_W16"), cdf("Partition_W32"), cdf("Partition_W64")]),
    ("depth8", cdf("Tx_8x8")),
    ("depth16", cdf("Tx_16x16")),
    ("split", cdf("Txfm_Split")),
    ("palette", [cdf("Palette_Y_Mode")[0], cdf("Palette_Y_Mode")[2]]),
    ("palette_uv", cdf("Palette_Uv_Mode")),
    ("n_colours", cdf("Palette_Y_Size")[2]),
    ("colour", [colours(n, "Y") for n in range(2, 9)]),
    ("kind_inside", of_modes(cdf("Intra_Tx_Type_Set2")[0])),
    ("kind_eight", cdf("Intra_Tx_Type_Set2")[1][0]),
    ("kind_moved", cdf("Inter_Tx_Type_Set3")[0]),
]
numbers = [
    ("none", [t[:3] for t in cdf("Txb_Skip")]),
    ("end16", [[p[0] for p in q] for q in cdf("Eob_Pt_16")]),
    ("end64", [[p[0] for p in q] for q in cdf("Eob_Pt_64")]),
    ("end_more", [t[:2] for t in cdf("Eob_Extra")]),
    ("dc_sign", cdf("Dc_Sign")),
    ("last", [t[:2] for t in cdf("Coeff_Base_Eob")]),
    ("base", [t[:2] for t in cdf("Coeff_Base")]),
    ("more", [t[:2] for t in cdf("Coeff_Br")]),
]

print("/* src/host/encode/av1_tables.c - numbers of the format; made by av1_tables.py */")
print('#include "host/encode/av1_tables.h"\n')
for n in (4, 8):
    print("const uint8_t px_av1_scan%d[%d] = %s;" % (n, n * n, put(table("Default_Scan_%dx%d" % (n, n)), 0)))
print("const struct px_av1_chances px_av1_chances = {")
for name, t in common:
    print(".%s = %s," % (name, put(t, 0)))
print("};")
print("const struct px_av1_number_chances px_av1_number_chances[4] = {")
for q in range(4):
    print("{")
    for name, t in numbers:
        print(".%s = %s," % (name, put(t[q], 0)))
    print("},")
print("};")

#!/usr/bin/env python3
"""Runs the cases of `otherwise bench --list` in PyTorch, as a peer to measure against. The project itself needs no Python: this is for
tools/gpu/bench alone, on a machine that has PyTorch and a GPU of its own.

usage: peer.py [--device cuda] [--type bf16] [--rounds 15] [--warm 2] [--case NAME]... CASES OUT

CASES is what `otherwise bench --list` wrote; OUT gets what `otherwise bench --beside` reads, written anew after every case. Every case is
written as PyTorch's users write it: eager, `matmul` (cuBLAS), `scaled_dot_product_attention` (flash attention), convolutions by cuDNN, which
may try its algorithms. Weights are frozen, and what flows back flows to the inputs alone. A time is the median of runs between two events of
the device; the first runs, for --warm seconds, do not count.

Also measured are two ceilings: a copy within the device, 2 GiB read and as much written, and a matrix product of 8192 in each direction.
"""
import argparse
import gc
import json
import os
import statistics
import sys
import time

LEAST, MANY_SECONDS = 3, 90  # as Measurement.java: after so many seconds, as few runs as this must do
COPIED, SIZE = 2 << 30, 8192  # bytes of the copy, and rows of the product, that show what the device can do


def die(message):
    sys.exit("tools/gpu/peer.py: " + message)


try:
    import torch
    import torch.nn.functional as F
    from torch.utils.checkpoint import checkpoint
except ImportError as absent:
    die(f"no PyTorch in this python3 ({sys.version.split()[0]}): {absent}")


# ---- the same computations -----------------------------------------------------------------------------------------------------------


def back(given, forward, *names):
    """Forward, then from dy back to these inputs."""
    inputs = [given[name].requires_grad_() for name in names]

    def run():
        y = forward()
        return (y.detach(), *torch.autograd.grad(y, inputs, given["dy"]))

    return run


def attend(q, k, v):
    """q, k, v [B, L, N, D], as the projections leave them"""
    return F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)).transpose(1, 2)


def matmul(given, numbers):
    return lambda: (torch.matmul(given["a"], given["b"]),)


def attention(given, numbers):
    return back(given, lambda: attend(given["q"], given["k"], given["v"]), "q", "k", "v")


def attention_forward(given, numbers):
    return lambda: (attend(given["q"], given["k"], given["v"]),)


def layer_norm(given, numbers):
    return back(given, lambda: F.layer_norm(given["x"], given["x"].shape[-1:], given["weight"], given["bias"], 1e-6), "x")


def gelu(given, numbers):
    return back(given, lambda: F.gelu(given["x"], approximate="tanh"), "x")


def wan_block(given, numbers):
    """One block of the Wan transformer: self-attention, attention to the text, two linear layers."""
    heads = numbers["heads"]
    cos, sin = angles(given["x"], heads, numbers["frames"], numbers["rows"], numbers["columns"])

    def linear(name, x):
        return F.linear(x, given[name + ".weight"], given[name + ".bias"])

    def rms(name, x):
        wide = x.float()
        return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + 1e-6)).to(x.dtype) * given[name + ".weight"]

    def split(x):
        return x.unflatten(-1, (heads, -1))

    def turn(x):
        even, odd = x.unflatten(-1, (-1, 2)).unbind(-1)
        return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2).to(x.dtype)

    def norm(x):
        return F.layer_norm(x, x.shape[-1:], eps=1e-6)

    def forward():
        x = given["x"]
        shift1, scale1, gate1, shift2, scale2, gate2 = (given["modulation"] + given["e"]).chunk(6, 1)
        look = norm(x) * (1 + scale1) + shift1
        q = turn(split(rms("self_attn.norm_q", linear("self_attn.q", look))))
        k = turn(split(rms("self_attn.norm_k", linear("self_attn.k", look))))
        v = split(linear("self_attn.v", look))
        x = x + linear("self_attn.o", attend(q, k, v).flatten(-2)) * gate1

        asked = F.layer_norm(x, x.shape[-1:], given["norm3.weight"], given["norm3.bias"], 1e-6)
        q = split(rms("cross_attn.norm_q", linear("cross_attn.q", asked)))
        k = split(rms("cross_attn.norm_k", linear("cross_attn.k", given["text"])))
        v = split(linear("cross_attn.v", given["text"]))
        x = x + linear("cross_attn.o", attend(q, k, v).flatten(-2))

        think = norm(x) * (1 + scale2) + shift2
        return x + linear("ffn.2", F.gelu(linear("ffn.0", think), approximate="tanh")) * gate2

    return back(given, forward, "x")


def angles(x, heads, frames, rows, columns):
    """cos and sin [L, 1, D/2] of the angles by which the pairs of a head turn: frame, row and column have their share of them."""
    half = x.shape[-1] // heads // 2
    spatial = 2 * half // 6
    parts = []
    for axis, (size, pairs) in enumerate(((frames, half - 2 * spatial), (rows, spatial), (columns, spatial))):
        speed = 10000.0 ** (-torch.arange(pairs, dtype=torch.float64) / pairs)
        angle = torch.arange(size, dtype=torch.float64)[:, None] * speed
        shape = [1, 1, 1, pairs]
        shape[axis] = size
        parts.append(angle.view(shape).expand(frames, rows, columns, pairs))
    table = torch.cat(parts, -1).reshape(-1, 1, half)
    return (f(table).to(x.device, torch.float32) for f in (torch.cos, torch.sin))


# Mean and deviation of the channels of Wan2.1's latents.
MEAN = (-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508, 0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503,
        -0.2921)
DEVIATION = (2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743, 3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160)


def vae_decode(given, numbers):
    """The decoder of Wan's autoencoder over a whole clip; what a layer computes is not kept but computed again on the way back."""
    mean, deviation = (torch.tensor(v, device=given["z"].device).to(given["z"]).view(1, -1, 1, 1, 1) for v in (MEAN, DEVIATION))

    def causal(name, x):
        weight = given[name + ".weight"]
        t, h, w = (n // 2 for n in weight.shape[2:])
        return F.conv3d(F.pad(x, (w, w, h, h, 2 * t, 0)), weight, given[name + ".bias"])

    def norm(name, x):
        return F.normalize(x, dim=1) * x.shape[1] ** 0.5 * given[name + ".gamma"].view(1, -1, 1, 1, 1)

    def residual(name, x):
        y = causal(name + "residual.2", F.silu(norm(name + "residual.0", x)))
        y = causal(name + "residual.6", F.silu(norm(name + "residual.3", y)))
        return y + (causal(name + "shortcut", x) if name + "shortcut.weight" in given else x)

    def frame_by_frame(x, layer):
        b, t = x.shape[0], x.shape[2]
        return layer(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (b, t)).transpose(1, 2)

    def look(name, x):
        def within(f):
            f = F.conv2d(f, given[name + "to_qkv.weight"], given[name + "to_qkv.bias"])
            q, k, v = (part.flatten(2).transpose(1, 2)[:, None] for part in f.chunk(3, 1))
            y = F.scaled_dot_product_attention(q, k, v)[:, 0].transpose(1, 2).unflatten(2, f.shape[2:])
            return F.conv2d(y, given[name + "proj.weight"], given[name + "proj.bias"])

        return x + frame_by_frame(norm(name + "norm", x), within)

    def upsample(name, x):
        if name + "time_conv.weight" in given and x.shape[2] > 1:
            pairs = causal(name + "time_conv", x[:, :, 1:]).unflatten(1, (2, -1)).permute(0, 2, 3, 1, 4, 5).flatten(2, 3)
            x = torch.cat((x[:, :, :1], pairs), 2)
        weight, bias = given[name + "resample.1.weight"], given[name + "resample.1.bias"]
        return frame_by_frame(x, lambda f: F.conv2d(F.interpolate(f, scale_factor=2.0, mode="nearest-exact"), weight, bias, padding=1))

    layers = [(residual, "decoder.middle.0."), (look, "decoder.middle.1."), (residual, "decoder.middle.2.")]
    at = "decoder.upsamples.%d."
    for i in range(len(given)):
        if at % i + "residual.2.weight" in given:
            layers.append((residual, at % i))
        elif at % i + "resample.1.weight" in given:
            layers.append((upsample, at % i))

    def head(name, x):
        return causal(name + "2", F.silu(norm(name + "0", x)))

    def forward():
        x = causal("decoder.conv1", causal("conv2", given["z"] * deviation + mean))
        for layer, name in [*layers, (head, "decoder.head.")]:
            x = checkpoint(layer, name, x, use_reentrant=False)
        return x

    return back(given, forward, "z")


KINDS = {f.__name__: f for f in (matmul, attention, attention_forward, layer_norm, gelu, wan_block, vae_decode)}


# ---- measuring -----------------------------------------------------------------------------------------------------------------------


def seconds(run, device):
    """Of one run, by the device's own events."""
    if device.type != "cuda":
        began = time.perf_counter()
        run()
        return time.perf_counter() - began
    begun, done = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begun.record()
    run()
    done.record()
    done.synchronize()
    return begun.elapsed_time(done) * 1e-3


def warmed(run, device, warm):
    spent, count = 0.0, 0
    while (count < LEAST and spent < MANY_SECONDS / 10) or spent < warm:
        spent += seconds(run, device)
        count += 1


def median(run, device, rounds):
    times = []
    while len(times) < rounds or (sum(times) < 1 and len(times) < 10 * rounds):
        if len(times) >= LEAST and sum(times) > MANY_SECONDS:
            break
        times.append(seconds(run, device))
    return statistics.median(times)


def drawn(case, device, dtype):
    """The inputs of a case: fresh normal numbers of the given mean and deviation."""
    return {name: torch.randn(told["dims"], device=device, dtype=dtype).mul_(told["deviation"]).add_(told["mean"])
            for name, told in case["inputs"].items()}


def measured(case, device, dtype, rounds, warm):
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    run = KINDS[case["kind"]](drawn(case, device, dtype), case["numbers"])
    warmed(run, device, warm)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()  # not what cuDNN took to try its algorithms
    figure = {"seconds": median(run, device, rounds)}
    if device.type == "cuda":
        figure["peak"] = torch.cuda.max_memory_allocated()
    return figure


def ceilings(device, dtype, rounds, warm):
    if device.type != "cuda":
        return {}
    x, y = (torch.randint(0, 256, (COPIED,), dtype=torch.uint8, device=device) for _ in range(2))
    a, b = (torch.randn(SIZE, SIZE, device=device, dtype=dtype) for _ in range(2))
    times = []
    for run in (lambda: y.copy_(x), lambda: torch.matmul(a, b)):
        warmed(run, device, warm)
        times.append(median(run, device, rounds))
    return {"bytes": 2 * COPIED / times[0], "flops": 2 * SIZE**3 / times[1]}


def told(result):
    """In one line, for a person."""
    line = result["name"]
    if "device" in result:
        line += (f", CUDA {result['cuda']}, cuDNN {result['cudnn']}, on {result['device']}: a copy of {COPIED >> 30} GiB moves {result['bytes'] * 1e-12:.2f}"
                 f" TB/s, a product of {SIZE}³ makes {result['flops'] * 1e-12:.0f} TFLOP/s")
    return line


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--type", default="bf16", choices=["bf16", "f32"])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--warm", type=float, default=2)
    parser.add_argument("--case", action="append", default=[])
    parser.add_argument("cases", metavar="CASES")
    parser.add_argument("out", metavar="OUT")
    options = parser.parse_args()
    device, dtype = torch.device(options.device), {"bf16": torch.bfloat16, "f32": torch.float32}[options.type]
    if device.type == "cuda" and not torch.cuda.is_available():
        die(f"PyTorch {torch.__version__} sees no CUDA device")
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(1)
    with open(options.cases) as file:
        cases = [c for c in json.load(file)["cases"] if not options.case or c["name"] in options.case]
    result = {"name": "PyTorch " + torch.__version__.split("+")[0], "cases": {}}
    if device.type == "cuda":
        result["device"] = torch.cuda.get_device_name()
        result["cuda"], result["cudnn"] = torch.version.cuda, torch.backends.cudnn.version()

    def write():
        with open(options.out + ".tmp", "w") as file:
            json.dump(result, file, indent=2)
            file.write("\n")
        os.replace(options.out + ".tmp", options.out)

    result.update(ceilings(device, dtype, options.rounds, options.warm))
    write()
    print(told(result), flush=True)
    failed = False
    for case in cases:
        if case["kind"] not in KINDS:
            continue
        try:
            figure = measured(case, device, dtype, options.rounds, options.warm)
        except torch.cuda.OutOfMemoryError as full:
            figure = {"failed": str(full).splitlines()[0]}
            failed = True
        result["cases"][case["name"]] = figure
        print(case["name"], json.dumps(figure), flush=True)
        write()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

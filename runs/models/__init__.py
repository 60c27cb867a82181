"""The rows: runs with their steps and checkpoints; models with their inputs and what people correct."""

from runs.models.registry import Correction, InputKind, ModelInput, RegisteredModel
from runs.models.runs import Checkpoint, CheckpointKind, Run, StepEvent

__all__ = [
    "Checkpoint",
    "CheckpointKind",
    "Correction",
    "InputKind",
    "ModelInput",
    "RegisteredModel",
    "Run",
    "StepEvent",
]

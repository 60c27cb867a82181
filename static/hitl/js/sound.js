// Two short soft notes, made on the spot. A browser lets a page sound only after somebody touched it.

const NOTES = [660, 880];
const NOTE_SECONDS = 0.16;
const LOUDNESS = 0.07;

const waiting = [];
let speaker = null;

for (const gesture of ["pointerdown", "keydown"]) addEventListener(gesture, unlock, { capture: true });

export function unlocked(then) {
  if (speaker?.state === "running") then();
  else waiting.push(then);
}

export function play() {
  if (speaker?.state !== "running") return false;
  NOTES.forEach((pitch, index) => note(pitch, speaker.currentTime + index * NOTE_SECONDS));
  return true;
}

export async function unlock() {
  const Speaker = window.AudioContext;
  if (!Speaker) return;
  speaker ??= new Speaker();
  if (speaker.state !== "running") await speaker.resume();
  if (speaker.state === "running") waiting.splice(0).forEach((then) => then());
}

function note(pitch, at) {
  const [tone, volume] = [speaker.createOscillator(), speaker.createGain()];
  tone.frequency.value = pitch;
  volume.gain.setValueAtTime(0, at);
  volume.gain.linearRampToValueAtTime(LOUDNESS, at + 0.02);
  volume.gain.exponentialRampToValueAtTime(0.0005, at + NOTE_SECONDS * 1.8);
  tone.connect(volume).connect(speaker.destination);
  tone.start(at);
  tone.stop(at + NOTE_SECONDS * 2);
}

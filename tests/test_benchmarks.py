"""The benchmarks measure what they claim, on the media they claim."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request

import av

from benchmarks import corpus, load, parts, process, slow_server


def test_clips_are_ten_seconds_of_video_and_stereo_audio(tmp_path):
    paths = corpus.clips(tmp_path, 14)
    assert len(set(paths)) == 14
    assert paths[0].samefile(paths[12])
    assert not paths[0].samefile(paths[1])
    with av.open(str(paths[0])) as container:
        (audio,), (video,) = container.streams.audio, container.streams.video
        assert (audio.codec_context.name, audio.rate, audio.channels) == ("aac", 44_100, 2)
        assert video.codec_context.name == "h264"
        assert abs(container.duration / av.time_base - 10) < 0.1


def test_a_run_is_measured_with_its_children():
    child = "x = bytearray(150 << 20); print('there', flush=True); import time; time.sleep(0.8)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    measured = process.run([sys.executable, "-c", parent])
    assert 150 < measured.peak_mb < 400
    assert 0.8 < measured.seconds < 30
    assert measured.first_line < measured.seconds - 0.7


def test_the_parts_of_a_clip_cost_no_more_than_the_whole(bigbuckbunny):
    costs = parts.audio_costs(str(bigbuckbunny))
    assert min(costs.values()) > 0
    whole = costs[parts.OURS]
    assert costs[parts.FLOOR] < whole
    assert costs["file to 16 bits"] + costs["to 16 kHz, resampy_0_2"] + costs["log-mel"] < 1.5 * whole


def test_frames_cost_more_than_decoding_and_resizing_them(bigbuckbunny):
    costs = parts.video_costs(str(bigbuckbunny))
    assert 0 < costs[parts.FLOOR] < costs[parts.OURS]


def test_the_floor_decodes_all_frames(bikes):
    assert parts.ffmpeg_frames(str(bikes), "video") == 250


def test_a_line_is_as_long_and_as_narrow_as_it_says(tmp_path):
    (tmp_path / "x").write_bytes(content := bytes(range(256)) * 2000)
    with slow_server.web_server(tmp_path) as port, slow_server.network(port, 0.2, 1e6) as near:
        began = time.monotonic()
        request = urllib.request.Request(f"http://127.0.0.1:{near}/x", headers={"Range": "bytes=10-"})
        with urllib.request.urlopen(request, timeout=30) as response:
            assert response.read() == content[10:]
        assert 0.2 + 0.2 + 0.5 < time.monotonic() - began < 10  # handshake, round trip, bytes


def test_help_lists_the_parts():
    command = [sys.executable, "-m", "benchmarks.bench", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "clips network startup workers resume hour" in text


def test_load_is_of_sources_that_are_extracted_and_of_others_that_are_done(tmp_path):
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
    summary, *_ = load.many_sources(tmp_path / "new", 20)
    assert summary.startswith("20 done, 0 skipped, 0 empty, 0 failed; 2.0 s of media")
    [summary] = load.all_done(tmp_path / "old", 20)
    assert summary.startswith("0 done, 20 skipped, 0 empty, 0 failed")

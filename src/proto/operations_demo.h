// What shows pyro at work with a model. Constant data for the table of operations alone.
#pragma once

#include <array>

#include "proto/operations_params.h"

namespace pyro::proto {

inline constexpr std::array kOllamaOptions{
    Param{.name = "base_url",
          .value_name = "URL",
          .default_text = "http://localhost:11434/v1",
          .help = "Where an OpenAI-compatible API is served"},
    Param{.name = "model",
          .value_name = "NAME",
          .default_text = "llama3.2:3b",
          .help = "The model to ask; it must be able to use tools"},
    Param{.name = "verbose",
          .type = ParamType::kFlag,
          .help = "Print what the model was told as well",
          .letter = 'v'}};
inline constexpr std::array<std::string_view, 2> kOllamaPath{"demo", "ollama"};
inline constexpr std::array<std::string_view, 3> kOllamaText{
    "Asks a model for the version of git in debian:12 and offers it the tool vm_run. What the "
    "model asks for runs in a microVM without a network, its result goes back to the model, and so "
    "on until the model answers, at most 12 times.",
    "The endpoint is Ollama's unless --base-url names another one that serves POST "
    "/chat/completions over HTTP. Each answer may take 5 minutes.",
    "Prints lines of a log and a summary as the last one. The exit code is 0 when the model "
    "answered and the last command that it ran in a guest ended with 0."};
inline constexpr std::array<Example, 2> kOllamaExamples{{
    {"pyro demo ollama", "With Ollama on this machine, after: ollama pull llama3.2:3b"},
    {"pyro demo ollama --base-url http://127.0.0.1:8080/v1 --model qwen2.5-3b -v",
     "With another server and model, and everything that is said"},
}};
inline constexpr std::array kOllamaErrors{Errc::kInvalid,     Errc::kNotFound, Errc::kDenied,
                                          Errc::kUnavailable, Errc::kDeadline, Errc::kLimit,
                                          Errc::kInternal};

inline constexpr Operation kOllama{.name = "demo.ollama",
                                   .cli_path = kOllamaPath,
                                   .summary = "Let a model run a command in a microVM",
                                   .description = kOllamaText,
                                   .options = kOllamaOptions,
                                   .errors = kOllamaErrors,
                                   .examples = kOllamaExamples};
inline constexpr std::array<std::string_view, 1> kDemoGroupPath{"demo"};
inline constexpr std::array<Group, 1> kDemoGroups{{{kDemoGroupPath, "See pyro at work"}}};

}  // namespace pyro::proto

// Results are rendered by src/api, so that all surfaces give the same; here that goes by its short
// names.
#pragma once

#include "api/json.h"
#include "api/network_json.h"
#include "api/session_json.h"
#include "api/workspace_json.h"

namespace pyro::cli {

using api::absolute_path;
using api::closed_json;
using api::Collected;
using api::deleted_json;
using api::json_line;
using api::json_text;
using api::json_texts;
using api::kMaxCollected;
using api::octal_mode;
using api::pretty;
using api::shell_part;
using api::signalled_json;
using api::to_json;

}  // namespace pyro::cli

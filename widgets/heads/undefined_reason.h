// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <string>

#include "widgets/state/open_models.h"

namespace ropescope {

/// Why a head has no such number, to stand after "not defined here": "because nothing turns in this model". Says no
/// more than the results show: without a cause in them "for this model". `key`: HeadNumber::key, of this model or of
/// another one. Checked by tests/widgets/head_rows_test.cpp.
[[nodiscard]] QString undefinedReason(const OpenModels& models, HeadRef head, const std::string& key);

}  // namespace ropescope

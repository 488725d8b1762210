// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/tensor_table.h"

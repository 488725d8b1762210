// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plot_layout.h"

#include <qcustomplot.h>

namespace ropescope {

void layOut(QCustomPlot& plot) {
    for (const auto phase :
         {QCPLayoutElement::upPreparation, QCPLayoutElement::upMargins, QCPLayoutElement::upLayout}) {
        plot.plotLayout()->update(phase);
    }
}

}  // namespace ropescope
